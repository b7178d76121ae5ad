/**
 * The contract of `GET get-operator`.
 * @module
 */

import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";

export const getOperator = {
  name: "get-operator",
  method: "GET",
  caller: "operator",
  operatorRole: "support",
  summary: "Read who is signed in",
  description:
    "For the console, which shows who acts and offers what the role may do. Only with a session: the " +
    "secret key is nobody's, and is answered `INVALID_SESSION`.",
  input: z.object({}),
  examples: { always: { summary: "The only request", input: {} } },
  missingMessage: "",
  data: z.object({
    operator_id: z.uuid().describe("The user of Supabase Auth."),
    name: z.string().describe("What is recorded of whoever acts."),
    role: z.enum(["support", "owner"]),
    second_factor: z.enum(["required", "off"])
      .describe("`off`: sessions without a second factor are accepted as well."),
  }),
  successMessage: "Operator retrieved successfully",
  errors: [],
} as const satisfies Operation;
