/**
 * Writes CSV files (RFC 4180) that are safe to open in a spreadsheet.
 * @module
 */

/** A cell: text, a number, or nothing. */
export type Cell = string | number | null;

/** Returns the rows as a CSV file. */
export function toCsv(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => row.map(written).join(",") + "\r\n").join("");
}

function written(cell: Cell): string {
  if (typeof cell !== "string") return String(cell ?? "");
  return `"${defused(cell).replaceAll('"', '""')}"`;
}

/**
 * A spreadsheet runs text that starts like a formula, also in quotes. References are chosen by others,
 * so an apostrophe makes them text. East Asian spreadsheets read the wide forms of these characters, too.
 * One that is set to another separator begins a cell in the middle of ours, whatever its quotes.
 */
function defused(text: string): string {
  const cells = text.replace(/[,;|\t\r\n](?=[\s"']*[=+\-@＝＋－＠])/gu, "$&'");
  return /^[\s=+\-@＝＋－＠]/u.test(cells) ? `'${cells}` : cells;
}
