/**
 * Locks: what makes calls that meet take turns.
 * @module
 */

import type { Mutant, Subject } from "../mutant.ts";

const FUNCTIONS = "supabase/schemas/functions";

/** Makes mutants of a SQL function. */
const inFunction =
  (name: string) =>
  (rule: string, find: string, replace: string, test: string, filter: string): Mutant => ({
    rule,
    file: `${FUNCTIONS}/${name}.sql`,
    find,
    replace,
    test: `tests/${test}.test.ts`,
    filter,
  });

export const turns: Subject = {
  name: "locks and turns",
  mutants: [
    inFunction("private/ensure_user")(
      "First contacts of one number take turns.",
      "perform private.lock_identities(ensure_user.phone_number, ensure_user.whatsapp_user_id);",
      "perform private.lock_identities(null);",
      "load/turns",
      "first contacts behind another one find its user",
    ),
    inFunction("deduct_credits")(
      "A deduction takes no more than there is, whoever else deducts.",
      "      and u.credits - u.held_credits - u.debt_credits >= p.credits\n",
      "",
      "load/turns",
      "deductions behind the one that took the last credits are refused",
    ),
    inFunction("deduct_credits")(
      "A deduction that finds its reference taken returns the credits that it took.",
      "set credits = u.credits + v_charged_credits,",
      "set credits = u.credits,",
      "endpoints/bot-deduct",
      "a repeated reference returns what the first call did, and charges nothing",
    ),
    inFunction("private/lock_user")(
      "A call that takes the careful way locks the user.",
      "where u.id = v_user.id for no key update;",
      "where u.id = v_user.id;",
      "load/merges",
      "a deduction that is repeated during a merge finds what the other account was charged",
    ),
    inFunction("settle_payment")(
      "A settlement locks the user before the order.",
      "where u.id = v_user_id for no key update;",
      "where u.id = v_user_id;",
      "security/identities",
      "a settlement that waits for its user does not keep others from the order",
    ),
    inFunction("settle_payment")(
      "A settlement that has waited for a merge looks again.",
      "if v_user.merged_into is not null\n        or v_user_id is distinct from",
      "if v_user.merged_into = v_user.id\n        or v_user.id is distinct from v_user.id and v_user_id is distinct from",
      "security/identities",
      "a webhook during a merge waits for it, and credits the account that stays",
    ),
    inFunction("place_order")(
      "Orders of one purchase take turns.",
      "perform private.lock_identities(place_order.phone_number, place_order.whatsapp_user_id);",
      "perform private.lock_identities(null);",
      "load/turns",
      "orders behind the same purchase are its order",
    ),
    inFunction("attach_razorpay_order")(
      "The first Razorpay order of an order stays.",
      "where o.id = attach_razorpay_order.order_id and o.state = 'pending';",
      "where o.id = attach_razorpay_order.order_id;",
      "load/turns",
      "an order that was opened twice at once has the first id, and everybody is told that one",
    ),
    inFunction("attach_payment_link")(
      "The first payment link of an order stays.",
      " and o.razorpay_payment_link_id is null;",
      ";",
      "load/turns",
      "an order that got two links at once keeps the first one, and every call returns it",
    ),
    {
      ...inFunction("claim_orders_to_check")(
        "The reconciler passes over orders that are locked.",
        "for no key update skip locked",
        "for no key update",
        "endpoints/reconcile-payments",
        "an order that another transaction works on does not hold up the others",
      ),
      count: 3,
    },
    inFunction("claim_orders_to_check")(
      "An order that is claimed is not handed out again at once.",
      "set next_check_at = clock_timestamp()\n    + greatest(interval '2 minutes', (clock_timestamp() - o.created_at) / 20)",
      "set next_check_at = clock_timestamp()",
      "endpoints/reconcile-payments",
      "two runs at once share the orders, and each payment counts once",
    ),
    inFunction("private/repeated_action")(
      "Calls of operators with one reference take turns.",
      "'operator ' || repeated_action.reference_id",
      "'operator ' || gen_random_uuid()",
      "endpoints/adjust-credits",
      "an adjustment happens once, however often and at once it is asked for",
    ),
    inFunction("ask_refund")(
      "Refunds of one payment are asked for in turn.",
      "where p.id = ask_refund.payment_id)\n  for no key update;",
      "where p.id = ask_refund.payment_id);",
      "endpoints/refund-payment",
      "a refund that is asked for waits for the one before it, and sees what it asked for",
    ),
    inFunction("delete_expired_rate_counters")(
      "Housekeeping passes over counters that are locked.",
      "for update skip locked",
      "for update",
      "security/limits",
      "the reconciler does not wait for a counter that is counting",
    ),
    inFunction("run_book_check")(
      "One check of the books is at work at a time.",
      "if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('book check', 0)) then",
      "if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(gen_random_uuid()::text, 0)) then",
      "database/book-checks",
      "only one run is at work at a time",
    ),
    inFunction("private/is_reference_taken")(
      "A deduction that has waited sees what was reserved meanwhile.",
      "\nvolatile\n",
      "\nstable\n",
      "database/hold-races",
      "a deduction behind a reservation of its reference is refused",
    ),
    inFunction("reserve_credits")(
      "A reservation that has waited leaves alone a user who was charged meanwhile.",
      "      and u.transaction_count = seen.transaction_count\n",
      "",
      "database/hold-races",
      "a reservation behind a deduction of its reference is refused",
    ),
    inFunction("reserve_credits")(
      "A reservation that has waited leaves alone a user who was erased meanwhile.",
      "      and u.phone_number = reserve_credits.phone_number\n",
      "",
      "load/erasures",
      "whatever happens during an erasure",
    ),
    inFunction("erase_user")(
      "An erasure that has waited looks again at who its account is.",
      "        or identities <> array(\n",
      "        or cardinality(identities) < 0 and identities <> array(\n",
      "load/erasures",
      "an identity that joins the account meanwhile is erased with it",
    ),
    inFunction("finish_order_check")(
      "A check that has waited for its order sees that it was paid.",
      "    for no key update\n",
      "",
      "load/purchases",
      "an order that is paid while its last check waits for it is checked on, because of refunds",
    ),
    inFunction("ask_refund")(
      "A refund is asked for before an erasure looks for it, or after the erasure.",
      "where p.id = ask_refund.payment_id)\n  for no key update;",
      "where p.id = ask_refund.payment_id);",
      "load/erasures",
      "a refund that is asked for during an erasure is finished by its reference",
    ),
  ],
};
