/**
 * A valid request to each function, for tests to corrupt one part at a time.
 * @module
 */

import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";
import { OPERATIONS } from "shared/contract/operations.ts";
import type { Backend } from "./backend.ts";
import { newPhoneNumber } from "./phone-numbers.ts";
import { buyCredits, payForPackage } from "./purchases.ts";
import { one } from "./lists.ts";
import { newOperator } from "./operators.ts";

/** The fields and headers of a request that succeeds. */
export interface ValidRequest {
  readonly operation: Operation;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** Who does something as an operator, and why. */
const action = (name: string) => ({
  operator: "An operator",
  reason: "The customer asked",
  reference_id: `${name} ${randomUUID()}`,
});

/** Makes the users and orders that the requests refer to. */
export async function validRequests(
  backend: Backend,
): Promise<ValidRequest[]> {
  const { environment, razorpay, sql } = backend;
  const phone_number = newPhoneNumber();
  const package_id = "starter";
  const { checkout } = await payForPackage(razorpay.control, phone_number, package_id);
  const { user_id } = one(await sql`select user_id from public.get_user(${phone_number})`);
  const bought = await buyCredits(razorpay.control, newPhoneNumber(), package_id);
  const { user_id: other_user_id } = one(
    await sql`select user_id from public.get_user(${newPhoneNumber()})`,
  );
  for (const reference of ["to-capture", "to-release", "to-end"]) {
    await sql`
      select from public.reserve_credits(
        phone_number => ${phone_number}, reference_id => ${reference}, credits => 1
      )`;
  }
  const { user_id: to_erase } = one(
    await sql`select user_id from public.get_user(${newPhoneNumber()})`,
  );
  const fields: Record<string, Record<string, unknown>> = {
    "bot-credits": { phone_number },
    "bot-deduct": { phone_number, reference_id: `wamid.${randomUUID()}`, credits: 1 },
    "bot-reserve": {
      phone_number,
      reference_id: `wamid.${randomUUID()}`,
      action: "voice_message",
      quantity: 30,
      expires_in_seconds: 60,
    },
    "bot-capture": { phone_number, reference_id: "to-capture", credits: 1 },
    "bot-release": { phone_number, reference_id: "to-release" },
    "bot-prices": {},
    "users": { phone_number },
    "credit-history": { user_id, limit: "50", cursor: "100" },
    "create-order": { package_id, phone_number },
    "verify-payment": { ...checkout, phone_number, package_id },
    "payment-return": { ...checkout },
    "bot-payment-link": { phone_number, package_id, reference_id: "link-1" },
    "bot-link": { phone_number },
    "razorpay-webhook": { event: "invoice.paid", created_at: 1_750_000_000, payload: {} },
    "reconcile-payments": {},
    "deliver-events": {},
    "erase-user": {
      user_id: to_erase,
      operator: "An operator",
      reason: "The customer asked",
      reference_id: "erasure-1",
    },
    "get-operator": {},
    "settle-order": {
      order: checkout.razorpay_order_id,
      operator: "An operator",
      reason: "The customer asked",
    },
    "find-customer": { query: phone_number },
    "get-customer": { user_id, order_id: crypto.randomUUID() },
    "list-entries": { user_id, limit: "500", cursor: "100" },
    "adjust-credits": { user_id, credits: 1, allow_debt: false, ...action("adjust") },
    "forgive-debt": { user_id, credits: 1, ...action("forgive") },
    "freeze-user": { user_id: other_user_id, ...action("freeze") },
    "unfreeze-user": { user_id: other_user_id, ...action("unfreeze") },
    "refund-payment": {
      payment_id: bought.checkout.razorpay_payment_id,
      amount_paise: 100,
      ...action("refund"),
    },
    "merge-users": {
      from_user_id: other_user_id,
      into_user_id: user_id,
      ...action("merge"),
    },
    "end-hold": { user_id, hold_reference_id: "to-end", ...action("end-hold") },
    "resend-events": {
      from: "2026-01-01",
      to: "2026-01-02T00:00:00Z",
      ...action("resend"),
    },
    "export-statement": { user_id, from: "2026-01-01", to: "2100-01-01T00:00:00Z", format: "json" },
    "list-actions-taken": { user_id, operator: "An operator", limit: "200", cursor: "100" },
    "sales-report": { from: "2026-01-01", to: "2026-02-01" },
    "list-attention": {},
    "check-books": {},
  };
  const credentials: Record<Operation["caller"], Record<string, string>> = {
    bot: { "x-bot-secret": environment.BOT_SECRET },
    operator: { apikey: environment.SUPABASE_SECRET_KEY },
    owner: {},
    anyone: {},
    browser: {},
    razorpay: {},
  };
  // Asks who is signed in, which the secret key says nothing about.
  const { headers: session } = await newOperator(backend);
  return OPERATIONS.map((operation) => ({
    operation,
    fields: z.record(z.string(), z.unknown()).parse(fields[operation.name]),
    headers: operation.name === "get-operator" ? session : credentials[operation.caller],
  }));
}
