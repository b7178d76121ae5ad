/**
 * Temporary changes to the functions' environment.
 * @module
 */

/**
 * Runs `act` with these variables, where `undefined` unsets one, and restores the previous values. The
 * environment belongs to the whole process, so nothing else may run at the same time.
 */
export async function withEnvironment<Result>(
  variables: Record<string, string | undefined>,
  act: () => Promise<Result>,
): Promise<Result> {
  const former = Object.fromEntries(
    Object.keys(variables).map((name) => [name, Deno.env.get(name)]),
  );
  setVariables(variables);
  try {
    return await act();
  } finally {
    setVariables(former);
  }
}

function setVariables(variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) Deno.env.delete(name);
    else Deno.env.set(name, value);
  }
}
