/**
 * The contract of `GET users/:phone_number`.
 * @module
 */

import { z } from "zod";
import { frozen, remainingCredits, reservedCredits, timestamp } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { pendingOrders } from "shared/contract/pending-order.ts";
import { phoneNumber } from "shared/contract/phone-number.ts";

export const users = {
  name: "users",
  method: "GET",
  caller: "owner",
  summary: "Read a user's profile",
  description: "An unknown phone number becomes a user with 3 free credits.",
  pathField: "phone_number",
  input: z.object({ phone_number: phoneNumber("page") }),
  examples: {
    e164: { summary: "In E.164", input: { phone_number: "+919876543210" } },
    national: { summary: "In national form", input: { phone_number: "098765 43210" } },
  },
  missingMessage: "Phone number is required",
  data: z.object({
    id: z.uuid(),
    phone_number: z.string().describe("E.164"),
    credits: z.int().min(0).describe("The balance."),
    remaining_credits: remainingCredits,
    reserved_credits: reservedCredits,
    created_at: timestamp,
    frozen,
    pending_orders: pendingOrders,
  }),
  successMessage: "User profile retrieved successfully",
  errors: [],
} as const satisfies Operation;
