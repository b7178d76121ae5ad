/**
 * Which operator a session is of.
 * @module
 */

import { z } from "zod";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** Finds the operator that a session is of. */
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
