/**
 * The little Markdown that the generated parts of the docs are made of, laid out as `deno fmt` does.
 * @module
 */

import { TaskError } from "../system/task.ts";

const REGION = /(<!-- generated: (.+?) -->\n)[\s\S]*?(<!-- \/generated -->)/g;

/** A table. The cells of a column have the same width. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [headings, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = headings.map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0))
  );
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  const [head = [], ...body] = cells;
  const rule = widths.map((width) => "-".repeat(width));
  return [line(head), line(rule), ...body.map(line)].join("\n");
}

/** A fenced block of code. */
export function codeBlock(language: string, code: string): string {
  return `\`\`\`${language}\n${code.trimEnd()}\n\`\`\``;
}

/** Whether a text has regions for {@linkcode fillRegions} to fill. */
export function hasRegions(markdown: string): boolean {
  return markdown.search(REGION) !== -1;
}

/**
 * Fills what is between `<!-- generated: name -->` and `<!-- /generated -->`.
 *
 * @throws {TaskError} for a name that nothing is generated for.
 */
export function fillRegions(markdown: string, contents: ReadonlyMap<string, string>): string {
  return markdown.replaceAll(REGION, (_, start: string, name: string, end: string) => {
    const content = contents.get(name);
    if (content === undefined) throw new TaskError(`Nothing is generated for "${name}".`);
    return `${start}\n${content}\n\n${end}`;
  });
}
