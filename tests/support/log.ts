/**
 * What the functions log, for tests to read.
 * @module
 */

/** The lines that are logged while `act` runs, at any level. They are not printed. */
export async function logOf(act: () => Promise<unknown>): Promise<string[]> {
  const lines: string[] = [];
  const usual = { ...console };
  const record = (...parts: unknown[]) => void lines.push(parts.join(" "));
  Object.assign(console, { log: record, debug: record, info: record, warn: record, error: record });
  try {
    await act();
  } finally {
    Object.assign(console, usual);
  }
  return lines;
}
