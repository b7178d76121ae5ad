/**
 * The operators behind sessions.
 * @module
 */

import { z } from "zod";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** Finds the operator to whom a session belongs. */
export const findOperator = procedure(
  "find_operator",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.literal("found"),
        name: z.string(),
        role: z.enum(["support", "owner"]),
      }),
      z.object({ outcome: z.enum(["not_an_operator", "session_ended"]) }),
    ])),
);
