/**
 * The table of the rate limits in docs/security.md, from the rows in supabase/schemas/rows.sql.
 * @module
 */

import { TaskError } from "../system/task.ts";
import { table } from "./markdown.ts";

const ROW = /\('(\w+)', '(\w+)', (\d+), (\d+)\)/g;

const ACTIONS: Record<string, string> = {
  wrong_secret: "wrong bot secrets",
  create_user: "unknown numbers",
  create_order: "orders, `create-order`",
  verify_payment: "`verify-payment`, `payment-return`",
};

/** The columns after the first one, with the scopes that each shows. */
const COLUMNS: readonly (readonly [heading: string, scopes: readonly string[]])[] = [
  ["From one address", ["address"]],
  ["For one number", ["phone", "user"]],
  ["In all", ["project"]],
  ["By the owner of the number", ["owner"]],
];

const PERIODS: Record<number, string> = { 60: "a minute", 600: "in 10 min", 3600: "an hour" };

/**
 * Returns the limits that the statements in `sql` insert, one row for each action.
 *
 * @throws {TaskError} if the table has no place for one of them.
 */
export function limitTable(sql: string): string {
  const cells = new Map<string, Map<string, string>>();
  for (const [, action = "", scope = "", count = "", seconds = ""] of sql.matchAll(ROW)) {
    const period = PERIODS[Number(seconds)];
    const heading = COLUMNS.find(([, scopes]) => scopes.includes(scope))?.[0];
    if (ACTIONS[action] === undefined || heading === undefined || period === undefined) {
      throw new TaskError(
        `The table of limits has no place for ${action}, ${scope}, ${seconds} s.`,
      );
    }
    const row = cells.get(action) ?? new Map<string, string>();
    cells.set(action, row.set(heading, `${Number(count).toLocaleString("en-US")} ${period}`));
  }
  return table(
    ["What", ...COLUMNS.map(([heading]) => heading)],
    [...cells].map(([action, row]) => [
      ACTIONS[action] ?? "",
      ...COLUMNS.map(([heading]) => row.get(heading) ?? ""),
    ]),
  );
}
