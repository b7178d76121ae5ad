/**
 * The contract of `GET bot-prices`.
 * @module
 */

import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";
import { packageSummary } from "shared/contract/package.ts";

const action = z.object({
  id: z.string(),
  unit: z.string().describe("What a quantity counts, in the singular."),
  credits: z.int().min(1).describe("For each started `per_quantity` of the unit."),
  per_quantity: z.int().min(1),
  minimum_credits: z.int().min(1).describe("What a charge costs at least."),
});

export const botPrices = {
  name: "bot-prices",
  method: "GET",
  caller: "bot",
  summary: "List what actions cost, and the packages for sale",
  description: "The prices of this moment. What is reserved keeps the price that it had then.",
  input: z.object({}),
  examples: {
    always: { summary: "The only request", input: {} },
  },
  missingMessage: "",
  data: z.object({ actions: z.array(action), packages: z.array(packageSummary) }),
  successMessage: "Prices retrieved successfully",
  errors: [],
} as const satisfies Operation;
