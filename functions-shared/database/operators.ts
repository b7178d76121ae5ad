/**
 * What operators look up and do.
 * @module
 */

import { z } from "zod";
import { customer, customerOrder } from "shared/contract/find-customer.ts";
import { listAttention as attention } from "shared/contract/list-attention.ts";
import { entry } from "shared/contract/operator.ts";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** What became of an action: done now, done before by the same request, or refused. */
function actionOf<Result extends z.ZodType, const Refusals extends readonly string[]>(
  result: Result,
  refusals: Refusals,
) {
  return oneRow(z.discriminatedUnion("outcome", [
    z.object({ outcome: z.enum(["done", "replayed"]), result }),
    z.object({ outcome: z.enum(["reference_reused", ...refusals]) }),
  ]));
}

/** Changes a balance by a difference. */
export const adjustCredits = procedure(
  "adjust_credits",
  () =>
    actionOf(
      z.object({ user_id: z.uuid(), credits: z.int(), debt_credits: z.int() }),
      ["user_not_found", "not_enough_credits", "too_many_credits"],
    ),
);

/** Whether an action changed anything. Actions recorded before this field existed all did. */
const changed = () => z.boolean().default(true);

/** Forgives a debt, or a part of it. */
export const forgiveDebt = procedure(
  "forgive_debt",
  () =>
    actionOf(
      z.object({ user_id: z.uuid(), debt_credits: z.int(), changed: changed() }),
      ["user_not_found"],
    ),
);

const frozen = () =>
  actionOf(
    z.object({ user_id: z.uuid(), frozen: z.boolean(), changed: changed() }),
    ["user_not_found"],
  );

/** Keeps an account from spending. */
export const freezeUser = procedure("freeze_user", frozen);

/** Lets a frozen account spend again. */
export const unfreezeUser = procedure("unfreeze_user", frozen);

/** Merges two accounts. */
export const mergeUsers = procedure(
  "merge_users_by_hand",
  () =>
    actionOf(
      z.object({ outcome: z.enum(["merged", "replayed"]) }),
      ["same_user", "user_not_found", "merged_before"],
    ),
);

/** Returns what an open hold has reserved. */
export const endHold = procedure(
  "end_hold_by_hand",
  () =>
    actionOf(
      z.object({ released_credits: z.int() }),
      ["user_not_found", "hold_not_found", "hold_captured"],
    ),
);

/** Sends events again. */
export const resendEvents = procedure(
  "resend_events",
  () => actionOf(z.object({ resent: z.int() }), ["event_not_found", "too_many_events"]),
);

/** What came of a refund. `replayed`: an earlier call for the same reference had it made. */
function refundOutcome<const Outcomes extends readonly string[]>(made: Outcomes) {
  return [
    z.object({
      outcome: z.enum(made),
      result: z.object({
        refund_id: z.string(),
        status: z.enum(["pending", "processed", "failed"]),
        amount_paise: z.int(),
      }),
    }),
    z.object({ outcome: z.literal("refused"), result: z.object({ refusal: z.string() }) }),
  ] as const;
}

/** Records that Razorpay is about to be asked for a refund, or tells what came of it. */
export const askRefund = procedure(
  "ask_refund",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.enum(["asking", "asked"]),
        refund_paise: z.int(),
        refund_key: z.string(),
      }),
      ...refundOutcome(["replayed"]),
      z.object({
        outcome: z.enum([
          "reference_reused",
          "payment_not_found",
          "payment_not_captured",
          "refund_exceeds_payment",
        ]),
      }),
    ])),
);

/** Records what came of a refund, and books it. Returns what was recorded first. */
export const finishRefund = procedure(
  "finish_refund",
  () => oneRow(z.discriminatedUnion("outcome", refundOutcome(["refunded", "replayed"]))),
);

/** Finds customers and their orders. */
export const findCustomers = procedure(
  "find_customers",
  () =>
    oneRow(z.object({
      customers: z.array(customer),
      unclaimed_orders: z.array(customerOrder),
    })),
);

/** Returns the entries of a period, with the balances around it. */
export const exportStatement = procedure(
  "export_statement",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.literal("exported"),
        opening_balance: z.int(),
        closing_balance: z.int(),
        entries: z.array(entry),
      }),
      z.object({ outcome: z.enum(["user_not_found", "too_many_entries"]) }),
    ])),
);

/** Lists what needs an operator's attention. */
export const listAttention = procedure(
  "list_attention",
  () => attention.data.shape.items,
);
