/**
 * Calls that are repeated, and what ends by its time: reservations, orders, prices.
 * @module
 */

import type { Mutant, Subject } from "../mutant.ts";

/** Makes mutants of a SQL function. */
const inFunction =
  (name: string) =>
  (rule: string, find: string, replace: string, test: string, filter: string): Mutant => ({
    rule,
    file: `supabase/schemas/functions/${name}.sql`,
    find,
    replace,
    test: `tests/${test}.test.ts`,
    filter,
  });

const capture = inFunction("capture_credits");
const deduct = inFunction("deduct_credits");
const reserve = inFunction("reserve_credits");

export const replays: Subject = {
  name: "repeated calls",
  mutants: [
    deduct(
      "A repeated deduction returns what the first one did.",
      "coalesce(v_charge.remaining_after, v_charge.balance_after)",
      "greatest(0, v_user.credits - v_user.held_credits)",
      "endpoints/bot-deduct",
      "a repeated reference returns what the first call did, and charges nothing",
    ),
    inFunction("private/is_same_request")(
      "A reference with another number of credits is refused.",
      "then first_credits = credits",
      "then true",
      "endpoints/bot-deduct",
      "a reference with another number of credits is REFERENCE_REUSED, and charges nothing",
    ),
    inFunction("private/is_same_request")(
      "A reference pays for one action.",
      "return first_action = action and case",
      "return case",
      "endpoints/bot-deduct",
      "a reference pays once, whatever action it names",
    ),
    inFunction("private/find_charge")(
      "A reference that a merged account has charged is not charged again.",
      "where u.merged_into = find_charge.user_id\n",
      "where false\n",
      "security/identities",
      "a deduction that is repeated after the merge is charged once",
    ),
    {
      rule: "Idempotency-Key is the reference where the body has none.",
      file: "functions-shared/endpoint.ts",
      find: "return { ...fields, reference_id: fields.reference_id ?? key };",
      replace: "return fields;",
      test: "tests/endpoints/bot-deduct.test.ts",
      filter: "Idempotency-Key is the reference where the body has none",
    },
    {
      rule: "The reference in the body counts before Idempotency-Key.",
      file: "functions-shared/endpoint.ts",
      find: "reference_id: fields.reference_id ?? key",
      replace: "reference_id: key ?? fields.reference_id",
      test: "tests/endpoints/bot-deduct.test.ts",
      filter: "the reference in the body counts, whatever the Idempotency-Key says",
    },
    deduct(
      "What is reserved is not charged by a deduction.",
      "when c.may_be_taken then not private.is_reference_taken(c.id, deduct_credits.reference_id)",
      "when c.may_be_taken then true",
      "endpoints/hold-states",
      "a hold ",
    ),
    reserve(
      "A repeated reservation gets no more time.",
      "expires_at := v_hold.expires_at;",
      "expires_at := v_expires_at;",
      "database/holds",
      "a reservation that is repeated gets no more time",
    ),
    capture(
      "A capture of more than the hold changes nothing.",
      "if v_credits > v_hold.credits or v_quantity > v_hold.quantity then",
      "if v_credits > 1000 then",
      "endpoints/bot-capture",
      "a capture of more than the hold changes nothing, and the right one succeeds afterwards",
    ),
    capture(
      "A larger quantity than was reserved is refused, even if it costs no more.",
      " or v_quantity > v_hold.quantity then",
      " then",
      "endpoints/bot-capture",
      "a larger quantity than the one reserved is refused even if it costs no more",
    ),
    inFunction("settle_payment")(
      "A payment that is settled again has the figures of the first time.",
      "coalesce(v_payment.remaining_after_grant, v_payment.balance_after_grant);",
      "(select u.credits from public.users u where u.id = v_order.user_id);",
      "payments/settlement",
      "a payment that is settled again has the figures of the first time, whatever was spent since",
    ),
    inFunction("find_order")(
      "A payment that is verified again has the figures of the first time.",
      "coalesce(p.remaining_after_grant, p.balance_after_grant)",
      "p.balance_after_grant",
      "payments/settlement",
      "every report of a payment is answered alike while credits are reserved, whoever reports it first",
    ),
    inFunction("private/pay_order")(
      "An order grants its credits once, whatever is reported again.",
      "select from public.payments p where p.id = v_payment_id and p.credits_granted = 0",
      "select from public.payments p where p.id = v_payment_id",
      "payments/settlement",
      "a payment whose refund failed after all pays its order again, when the other one went back",
    ),
    inFunction("merge_users")(
      "A merge moves the references of orders.",
      "update public.order_references r set user_id = v_into.id where r.user_id = v_from.id;",
      "",
      "security/identities",
      "a bot that repeats a reference after the merge gets the same link",
    ),
    inFunction("merge_users")(
      "The account that a number was merged into shows it.",
      "set phone_number = coalesce(u.phone_number, v_from.phone_number)",
      "set phone_number = u.phone_number",
      "security/identities",
      "the account that a number was merged into shows it, unless it has one of its own",
    ),
    inFunction("private/ensure_user")(
      "A number that comes later is shown by its user.",
      "update public.users u set phone_number = ensure_user.phone_number\n",
      "update public.users u set phone_number = null\n",
      "security/identities",
      "a number and a WhatsApp user id that come together are one person from then on",
    ),
    inFunction("private/repeated_action")(
      "An operator's reference is for one request.",
      " or a.request <> repeated_action.request",
      "",
      "endpoints/adjust-credits",
      "one reference is for one request, also of another function",
    ),
  ],
};

export const expiry: Subject = {
  name: "expiry",
  mutants: [
    deduct(
      "An expired hold blocks no deduction.",
      "and (u.next_hold_expiry_at is null or u.next_hold_expiry_at > clock_timestamp())",
      "and true",
      "database/hold-expiry",
      "an expired hold counts for no figure of a call that has enough without it",
    ),
    inFunction("private/end_expired_holds")(
      "A hold ends at its time, and not before.",
      "where h.user_id = v_user.id and h.state = 'open' and h.expires_at <= v_now\n        returning h.*",
      "where h.user_id = v_user.id and h.state = 'open'\n        returning h.*",
      "database/hold-expiry",
      "holds of every action expire, and only those whose time has come",
    ),
    {
      ...capture(
        "A capture is late once the hold has expired.",
        "is_late := v_credits > 0 and v_hold.ended_at >= v_hold.expires_at;",
        "is_late := false;",
        "endpoints/bot-capture",
        "a late capture charges as long as the credits suffice, and says that it was late",
      ),
    },
    capture(
      "A late capture takes nothing that another hold reserves.",
      "and v_credits > v_user.credits - v_user.held_credits - v_user.debt_credits",
      "and v_credits > v_user.credits",
      "endpoints/bot-capture",
      "a late capture takes nothing that another hold reserves",
    ),
    {
      rule: "A hold lasts ten minutes unless it was asked for otherwise.",
      file: "supabase/schemas/functions/reserve_credits.sql",
      find: "coalesce(reserve_credits.expires_in_seconds, 600)",
      replace: "coalesce(reserve_credits.expires_in_seconds, 6000)",
      test: "tests/endpoints/bot-reserve.test.ts",
      filter: "seconds expires after",
    },
    inFunction("place_order")(
      "An order is used again for half an hour at most.",
      "constant interval := '30 minutes';",
      "constant interval := '3 days';",
      "security/limits",
      "an order is used again only while it is young, unpaid and of today's price",
    ),
    inFunction("place_order")(
      "A link that is about to expire is not handed out again.",
      "coalesce(o.expires_at - v_min_remaining, o.created_at + v_reusable_for)",
      "coalesce(o.expires_at, o.created_at + v_reusable_for)",
      "endpoints/bot-payment-link",
      "a link that ends in a moment is not offered again, and one with more time is",
    ),
    {
      rule: "A payment link ends after an hour.",
      file: "supabase/functions/bot-payment-link/index.ts",
      find: "const LINK_LIFE_MS = 60 * 60 * 1000;",
      replace: "const LINK_LIFE_MS = 24 * 60 * 60 * 1000;",
      test: "tests/endpoints/bot-payment-link.test.ts",
      filter: "ends the link soon",
    },
    inFunction("finish_order_check")(
      "An unpaid order is watched for as long as a payment can come.",
      "else interval '6 days' end as watched_for",
      "else interval '1 day' end as watched_for",
      "endpoints/reconcile-payments",
      "an order that nobody paid is asked about again, ever more rarely, until no payment can come",
    ),
    inFunction("finish_order_check")(
      "A paid order is watched for half a year.",
      "case o.state when 'paid' then interval '180 days'",
      "case o.state when 'paid' then interval '18 days'",
      "endpoints/reconcile-payments",
      "a paid order is watched on: a refund months later is found",
    ),
    inFunction("expire_holds")(
      "A hold that cannot be ended stops no other.",
      "when others then\n",
      "when deadlock_detected then\n",
      "database/hold-expiry",
      "a hold that cannot be ended stops no other, and no later run",
    ),
  ],
};
