/**
 * What the operator's console shows: one customer, lists of entries and actions, sales.
 * @module
 */

import { z } from "zod";
import { wholeCustomer } from "shared/contract/get-customer.ts";
import { actionTaken, entryInFull } from "shared/contract/operator.ts";
import { salesReport as report } from "shared/contract/sales-report.ts";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** Returns everything about one customer. */
export const getCustomer = procedure(
  "get_customer",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.literal("found"),
        customer: wholeCustomer.extend({ next_cursor: z.int().nullable() }),
      }),
      z.object({ outcome: z.literal("user_not_found") }),
    ])),
);

/** Returns a page of an account's entries. */
export const listEntries = procedure(
  "list_entries",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.literal("listed"),
        total: z.int(),
        entries: z.array(entryInFull),
        next_cursor: z.int().nullable(),
      }),
      z.object({ outcome: z.literal("user_not_found") }),
    ])),
);

/** Returns a page of what operators did. */
export const listActionsTaken = procedure(
  "list_actions_taken",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.literal("listed"),
        actions: z.array(actionTaken),
        next_cursor: z.int().nullable(),
      }),
      z.object({ outcome: z.literal("user_not_found") }),
    ])),
);

/** Reports sales by day, and what the credits were spent on. */
export const salesReport = procedure("sales_report", () => oneRow(report.data));
