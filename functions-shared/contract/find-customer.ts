/**
 * The contract of `POST find-customer`.
 * @module
 */

import { z } from "zod";
import {
  customerProfile,
  openHold,
  orderSummary,
  paymentSummary,
} from "shared/contract/customer.ts";
import { text, timestamp } from "shared/contract/fields.ts";
import { entry } from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

/** An order with its newest payments. */
export const customerOrder = orderSummary.extend({
  payments: z.array(paymentSummary).describe("The newest 20."),
});

/** A customer with what is needed to help them. */
export const customer = customerProfile.extend({
  entries: z.array(entry).describe("The newest 20."),
  holds: z.array(openHold).describe("Open reservations."),
  orders: z.array(customerOrder).describe("The newest 20."),
  found_order_id: z.uuid().nullable().describe(
    "The order of theirs that the query names, the newest if there are more; `get-customer` shows it, " +
      "however old it is.",
  ),
  actions: z.array(z.object({
    created_at: timestamp,
    action: z.string(),
    operator: z.string(),
    reason: z.string(),
    outcome: z.string(),
    reference_id: z.string().nullable(),
  })).describe("What operators did, the newest 20."),
});

export const findCustomer = {
  name: "find-customer",
  method: "POST",
  caller: "operator",
  operatorRole: "support",
  summary: "Find a customer, with what is needed to help them",
  description:
    "A reference of a charge is kept by user, and cannot be searched for. The WhatsApp message id that " +
    "it mostly is can: it holds the customer's number.",
  input: z.object({
    query: text(300).regex(/\S/, "must not be blank").describe(
      "A phone number in any spelling, a WhatsApp user id or message id, a user id, an id of " +
        "Razorpay's (order, payment, payment link, refund, dispute), our order id or receipt, the " +
        "reference of a payment link, or that of an operator's action.",
    ),
  }),
  examples: {
    byPhoneNumber: { summary: "By phone number", input: { query: "98765 43210" } },
    byPayment: {
      summary: "By the payment id of the customer's receipt",
      input: { query: "pay_RB58MiP5SPFYyM" },
    },
  },
  missingMessage: "Query is required",
  data: z.object({
    customers: z.array(customer).describe("At most 10."),
    unclaimed_orders: z.array(customerOrder).describe(
      "Orders for numbers that are no customers' yet: they become one with their first payment. At " +
        "most 20.",
    ),
  }),
  successMessage: "Search finished",
  errors: [],
} as const satisfies Operation;
