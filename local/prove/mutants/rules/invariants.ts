/**
 * The check of the books: every clause of `check_invariants`, and most conditions of those that have
 * several.
 * @module
 */

import type { Mutant, Subject } from "../mutant.ts";

const TEST = "tests/database/invariants.test.ts";

/** Makes mutants of one of the functions that check_invariants consists of. */
const inFunction =
  (name: string) => (rule: string, find: string, replace: string, filter: string): Mutant => ({
    rule,
    file: `supabase/schemas/functions/private/${name}.sql`,
    find,
    replace,
    test: TEST,
    filter,
  });

const accounts = inFunction("check_accounts");
const adjustments = inFunction("check_adjustments");
const holds = inFunction("check_holds");
const ledger = inFunction("check_ledger");
const orders = inFunction("check_orders");
const payments = inFunction("check_payments");
const reversals = inFunction("check_reversals");

export const ledgerInvariants: Subject = {
  name: "the books' check of the ledger",
  mutants: [
    ledger(
      "A balance that is not that after the newest entry is a violation.",
      "and e.credits <> coalesce(e.balance_after, 0)",
      "and false",
      "a balance is too high",
    ),
    ledger(
      "A count of entries that is too low is a violation.",
      "where coalesce(e.sequence_number, 0) <> e.transaction_count",
      "where coalesce(e.sequence_number, 0) < e.transaction_count",
      "the count is too low",
    ),
    ledger(
      "An entry whose balance does not follow from the one before it is a violation.",
      "where t.balance_after <> case t.sequence_number",
      "where t.balance_after < 0 and t.balance_after <> case t.sequence_number",
      "a balance after an entry is wrong",
    ),
    ledger(
      "A number that is left out among the entries is a violation.",
      "or previous.id is null and t.sequence_number > 1",
      "or false",
      "a number is left out",
    ),
    ledger(
      "A user without a welcome is a violation.",
      "where (t.source is not distinct from 'system') = u.is_without_welcome",
      "where (t.source = 'system') = u.is_without_welcome",
      "it is not given",
    ),
    ledger(
      "A welcome that is not the first entry is a violation.",
      "where (t.source is not distinct from 'system') = u.is_without_welcome",
      "where (t.source is not null) = u.is_without_welcome",
      "another entry comes first",
    ),
    ledger(
      "A welcome of somebody who comes back after an erasure is a violation.",
      "where (t.source is not distinct from 'system') = u.is_without_welcome",
      "where t.source is distinct from 'system' and not u.is_without_welcome",
      "it is given to somebody who comes back",
    ),
    ledger(
      "A second welcome is a violation.",
      "where t.source = 'system' and t.sequence_number > 1",
      "where false",
      "it is given twice",
    ),
    ledger(
      "A reference that an erasure has left is a violation.",
      "and t.reference_id not like 'erased %'",
      "and false",
      "the reference of a charge is what it was",
    ),
    ledger(
      "A merge that adds credits is a violation.",
      "      and other.credits = m.credits\n",
      "",
      "it adds a credit",
    ),
    ledger(
      "A merge that takes on both sides is a violation.",
      "case m.action\n        when 'debit' then",
      "case\n        when m.reference_id like '%into %' then",
      "both sides take",
    ),
    ledger(
      "A merge whose other side is somebody else is a violation.",
      "where not exists (\n    select from public.credit_transactions other",
      "where m.credits < 0 and not exists (\n    select from public.credit_transactions other",
      "it names somebody else",
    ),
    ledger(
      "An account that gives its credits away without being merged is a violation.",
      "and u.merged_into is distinct from coalesce(other.merged_into, m.other_id)",
      "and u.merged_into <> coalesce(other.merged_into, m.other_id)",
      "accounts that are not merged exchange credits",
    ),
    ledger(
      "A reference that a merged account has charged and that is charged again is a violation.",
      "where again.source not in (",
      "where false and again.source not in (",
      "it is charged again",
    ),
    ledger(
      "An entry of a payment that does not exist is a violation.",
      "where o.id is null\n",
      "where o.id is null and p.id is not null\n",
      "it names no payment",
    ),
    ledger(
      "An entry of another number of credits than its payment granted is a violation.",
      " and p.credits_granted = t.credits",
      "",
      "its payment granted another number",
    ),
    ledger(
      "An entry of somebody else's payment is a violation.",
      "      and o.user_id = coalesce(u.merged_into, u.id)\n",
      "",
      "it is somebody else's",
    ),
    ledger(
      "An entry of a payment of another amount is a violation.",
      "and o.amount_paise = p.amount_paise and o.currency = p.currency",
      "and o.currency = p.currency",
      "its payment had another amount",
    ),
    ledger(
      "An entry of a payment in another currency is a violation.",
      "and o.amount_paise = p.amount_paise and o.currency = p.currency",
      "and o.amount_paise = p.amount_paise",
      "its payment had another currency",
    ),
    ledger(
      "An entry of a refund or dispute that does not exist is a violation.",
      "where r.id is null\n",
      "where false\n",
      "its reversal is gone",
    ),
    ledger(
      "An entry that calls a refund a dispute is a violation.",
      " and r.kind = t.source",
      "",
      "it is of the other kind",
    ),
    ledger(
      "A charge by the price of another action is a violation.",
      "p.action_id is distinct from c.source",
      "p.action_id is null",
      "its price is that of another action",
    ),
    ledger(
      "A quantity without a price is a violation.",
      "    or c.price_id is null and c.quantity is not null\n",
      "",
      "it names a quantity and no price",
    ),
    ledger(
      "A quantity that cost less than its price says is a violation.",
      "and c.credits <> priced.credits",
      "and c.credits > priced.credits",
      "it cost less",
    ),
    ledger(
      "A charge for what nobody has priced is a violation.",
      "where c.source not in (select p.action_id",
      "where false and c.source not in (select p.action_id",
      "nobody has priced it",
    ),
    ledger(
      "Two prices of one action at the same time are a violation.",
      "and tstzrange(p.valid_from, p.valid_until) && tstzrange(other.valid_from, other.valid_until)",
      "and p.valid_from = other.valid_from",
      "a price lies within another one",
    ),
    ledger(
      "An entry after which more than the balance could be spent is a violation.",
      "where t.remaining_after not between 0 and t.balance_after",
      "where t.remaining_after < 0",
      "more than that remains",
    ),
  ],
};

export const accountInvariants: Subject = {
  name: "the books' check of accounts and reservations",
  mutants: [
    accounts(
      "An account that nobody can name is a violation.",
      "having (count(i.value) = 0) <> (num_nonnulls(u.merged_into, u.erased_at) > 0)",
      "having count(i.value) > 0 and num_nonnulls(u.merged_into, u.erased_at) > 0",
      "an account has no identity",
    ),
    accounts(
      "A number that is no identity of its user is a violation.",
      "and count(*) filter (where i.kind = 'phone' and i.value = u.phone_number) = 0",
      "and false",
      "the number of a user is no identity of theirs",
    ),
    accounts(
      "A number that its user does not show is a violation.",
      "    or u.phone_number is null and count(*) filter (where i.kind = 'phone') > 0\n",
      "",
      "the number of a user is not shown",
    ),
    accounts(
      "A merged account with credits is a violation.",
      "(u.credits > 0 or u.debt_credits > 0)",
      "u.debt_credits > 0",
      "it has a credit",
    ),
    accounts(
      "A merged account with a debt is a violation.",
      "(u.credits > 0 or u.debt_credits > 0)",
      "u.credits > 0",
      "it has a debt",
    ),
    accounts(
      "A merged account that leads to another merged one is a violation.",
      "where next.merged_into is not null",
      "where next.merged_into = u.id",
      "it leads to another merged one",
    ),
    accounts(
      "An order of a merged account is a violation.",
      "select 'order ' || o.id, o.user_id from public.payment_orders o",
      "select 'order ' || o.id, o.user_id from public.payment_orders o where o.state = 'open'",
      "an order does",
    ),
    accounts(
      "An identity of a merged account is a violation.",
      "select 'identity ' || i.value, i.user_id from public.identities i",
      "select 'identity ' || i.value, i.user_id from public.identities i where i.kind = 'phone'",
      "an identity does",
    ),
    accounts(
      "A reference of a merged account is a violation.",
      "select 'reference ' || r.reference_id, r.user_id from public.order_references r",
      "select 'reference ' || r.reference_id, null::uuid from public.order_references r",
      "a reference does",
    ),
    accounts(
      "An adjustment of a merged account is a violation.",
      "select 'adjustment ' || a.reference_id, a.user_id from public.adjustments a",
      "select 'adjustment ' || a.reference_id, null::uuid from public.adjustments a",
      "an adjustment does",
    ),
    accounts(
      "A debt that is not the sum of what is owed is a violation.",
      "having u.debt_credits <> sum(u.credits_owed)",
      "having u.debt_credits > sum(u.credits_owed)",
      "a debt is forgotten",
    ),
    accounts(
      "A debt next to credits that could pay it is a violation.",
      "    or u.debt_credits > 0 and u.credits > u.held_credits;",
      ";",
      "it is not paid",
    ),
    adjustments(
      "An adjustment that asked to take more than the ledger holds is a violation.",
      "<> coalesce(sum(case",
      "> coalesce(sum(case",
      "it asked for more",
    ),
    adjustments(
      "An entry without its adjustment is a violation.",
      "where t.source = 'adjustment' and a.reference_id is null",
      "where false",
      "its adjustment is gone",
    ),
    adjustments(
      "An entry of somebody else's adjustment is a violation.",
      " and a.user_id = coalesce(u.merged_into, u.id)\n  where",
      "\n  where",
      "its adjustment is somebody else's",
    ),
    holds(
      "More reserved credits than the open holds hold are a violation.",
      "where u.held_credits <> coalesce(o.credits, 0)",
      "where u.held_credits < coalesce(o.credits, 0)",
      "more is reserved",
    ),
    holds(
      "Open holds that are miscounted are a violation.",
      "    or u.open_holds <> coalesce(o.holds, 0)\n",
      "",
      "the holds are miscounted",
    ),
    holds(
      "A hold that expires before its user's next expiry is a violation.",
      "    or u.next_hold_expiry_at > o.next_expiry_at\n",
      "",
      "a hold expires before the next expiry",
    ),
    holds(
      "A captured hold without an entry is a violation.",
      "where h.state = 'captured' and t.user_id is null",
      "where false",
      "its entry is gone",
    ),
    holds(
      "A captured hold whose entry is somebody else's is a violation.",
      "on t.user_id = h.user_id\n      -- As",
      "on true\n      -- As",
      "its entry is somebody else's",
    ),
    holds(
      "A captured hold whose entry has another amount is a violation.",
      "      and t.credits = h.captured_credits\n",
      "",
      "another amount was charged",
    ),
    holds(
      "An open hold whose reference is charged is a violation.",
      "select h.user_id union all select m.id",
      "select m.id",
      "it is charged as well",
    ),
    holds(
      "An open hold whose reference a merged account has charged is a violation.",
      "select h.user_id union all select m.id from public.users m where m.merged_into = h.user_id",
      "select h.user_id",
      "a merged account is charged as well",
    ),
    holds(
      "An open hold of a merged account is a violation.",
      "where h.state = 'open' and u.merged_into is not null",
      "where h.state = 'open' and u.merged_into = u.id",
      "it has an open hold",
    ),
    holds(
      "A user who does not know of the account that was merged into it is a violation.",
      "and u.has_merged <> (m.accounts > 0)",
      "and u.has_merged and m.accounts = 0",
      "one was, and it does not know",
    ),
  ],
};

export const paymentInvariants: Subject = {
  name: "the books' check of orders and payments",
  mutants: [
    orders(
      "A paid order that granted nothing is a violation.",
      "(t.entries <> 1 or t.credits",
      "(t.entries > 1 or t.credits",
      "it granted nothing",
    ),
    orders(
      "A paid order that granted twice is a violation.",
      "(t.entries <> 1 or t.credits",
      "(t.entries < 1 or t.credits",
      "it granted twice",
    ),
    orders(
      "A paid order that granted another number of credits is a violation.",
      " or t.credits <> o.credits",
      "",
      "it granted more",
    ),
    orders(
      "A paid order that granted its credits to somebody else is a violation.",
      " or not t.are_of_the_user",
      "",
      "it granted to somebody else",
    ),
    orders(
      "A reference that leads to somebody else's order is a violation.",
      "where coalesce(u.merged_into, u.id) is distinct from owner.id",
      "where owner.id is null",
      "it leads to another user's",
    ),
    orders(
      "An order that does not know that somebody tried to pay it is a violation.",
      "where (o.tried_at is null) <> (p.id is null)",
      "where o.tried_at is not null and p.id is null",
      "it does not",
    ),
    orders(
      "An order that does not know that a reference led to it is a violation.",
      "where o.has_reference <> exists (",
      "where o.has_reference and not exists (",
      "it does not",
    ),
    orders(
      "An order that says that a reference led to it where none did is a violation.",
      "where o.has_reference <> exists (",
      "where not o.has_reference and exists (",
      "it is wrong",
    ),
    orders(
      "A young unpaid order that nobody will ask about is a violation.",
      " else interval '6 days' end",
      " end",
      "an unpaid order is forgotten",
    ),
    orders(
      "A paid order that nobody will ask about for half a year is a violation.",
      "when 'paid' then interval '180 days'",
      "when 'paid' then interval '6 days'",
      "a paid order is forgotten",
    ),
    orders(
      "A payment link that nobody will ask about is a violation.",
      "and num_nonnulls(o.razorpay_order_id, o.razorpay_payment_link_id) > 0",
      "and o.razorpay_order_id is not null",
      "a link that nobody opened is forgotten",
    ),
    payments(
      "A grant that is not in the ledger is a violation.",
      "and p.balance_after_grant is distinct from grant_entry.balance_after",
      "and p.balance_after_grant <> grant_entry.balance_after",
      "a second payment grants without an entry",
    ),
    payments(
      "A grant that left another balance than it says is a violation.",
      "and p.balance_after_grant is distinct from grant_entry.balance_after",
      "and grant_entry.balance_after is null",
      "the balance is wrong",
    ),
    payments(
      "A grant that claims the balance after the next purchase is a violation.",
      "and other.source not in ('refund', 'dispute')",
      "and other.source not in ('refund', 'dispute', 'payment')",
      "the balance is that after the next purchase",
    ),
    payments(
      "Credits for a payment that was not captured are a violation.",
      " or p.status not in ('captured', 'refunded'))",
      ")",
      "it was not captured",
    ),
    payments(
      "A payment that granted more than its order is a violation.",
      "(p.credits_granted <> o.credits or",
      "(p.credits_granted < o.credits or",
      "it granted more than its order",
    ),
    payments(
      "A flag on the payment that pays is a violation.",
      "then p.flag is not null",
      "then false",
      "the one that pays is flagged",
    ),
    payments(
      "A second payment without a flag is a violation.",
      "else p.flag is null and p.status in ('captured', 'refunded')",
      "else p.flag is null and p.status = 'refunded'",
      "a second payment is not",
    ),
    payments(
      "A payment of another amount without a flag is a violation.",
      "and (o.state = 'paid' or p.net_paise > 0)",
      "and o.state = 'paid'",
      "a payment of another amount is not",
    ),
    payments(
      "An unpaid order whose money is here is a violation.",
      "coalesce(p.payer_net_paise, 0) = 0",
      "p.payer_net_paise = 0",
      "it is not paid",
    ),
    payments(
      "An order that is paid by money that went back, while other money is here, is a violation.",
      "coalesce(p.payer_net_paise, 0) = 0",
      "p.payer_net_paise is null",
      "it is paid by money that went back",
    ),
    payments(
      "Money whose refund is pending is still here.",
      "coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0), 0",
      "coalesce(sum(r.amount_paise), 0), 0",
      "it is not paid, while a refund is pending",
    ),
    reversals(
      "A reversal that takes more credits than money went back is a violation.",
      "having coalesce(sum(r.credits_taken), 0) <> case",
      "having coalesce(sum(r.credits_taken), 0) < case",
      "one takes more",
    ),
    reversals(
      "A reversal that takes credits for money that did not go back is a violation.",
      "            coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0)\n          )",
      "            coalesce(sum(r.amount_paise), 0)\n          )",
      "one takes what did not go back",
    ),
    reversals(
      "A payment that was replaced and keeps credits is a violation.",
      "else p.credits_granted\n",
      "else coalesce(sum(r.credits_taken), 0)\n",
      "a payment that was replaced keeps a credit",
    ),
    reversals(
      "Refunds and disputes together take no more than the payment granted.",
      "least(\n            p.amount_paise::bigint,",
      "greatest(\n            0,",
      "the books are right before anybody breaks them",
    ),
    reversals(
      "A reversal that owes what it took is a violation.",
      "having r.credits_taken - r.credits_owed - r.credits_forgiven\n",
      "having r.credits_taken - r.credits_forgiven\n",
      "a part of it is owed",
    ),
    reversals(
      "A reversal whose entry is somebody else's is a violation.",
      "      and coalesce(u.merged_into, u.id) = o.user_id\n",
      "",
      "an entry is somebody else's",
    ),
    reversals(
      "A reversal whose entry is of the other kind is a violation.",
      " and t.source = r.kind",
      "",
      "an entry is of the other kind",
    ),
  ],
};

const scope = inFunction("check_scope");
const changedOrders = inFunction("changed_orders");
const changedUsers = inFunction("changed_users");

export const checksByPart: Subject = {
  name: "the books' check by part",
  mutants: [
    scope(
      "A check of the books looks at reversals.",
      "select c.* from private.check_reversals($4) c",
      "select c.* from private.check_reversals('{}') c",
      "one takes more",
    ),
    scope(
      "A check of the books looks at adjustments.",
      "select c.* from private.check_adjustments($1, $2, $3) c",
      "select c.* from private.check_adjustments($1, $2, '{}') c",
      "it asked for more",
    ),
    changedOrders(
      "What is new includes orders that were written.",
      "where o.changed_at >= changed_orders.since and o.changed_at < changed_orders.before",
      "where false",
      "a paid order is forgotten",
    ),
    changedOrders(
      "What is new includes the orders of payments that were written.",
      "where p.changed_at >= changed_orders.since and p.changed_at < changed_orders.before",
      "where false",
      "the balance is wrong",
    ),
    changedOrders(
      "What is new includes the orders of reversals that were written.",
      "where r.changed_at >= changed_orders.since and r.changed_at < changed_orders.before",
      "where false",
      "one takes more",
    ),
    changedOrders(
      "What is new includes the orders that new entries are about.",
      "join public.payments p on p.id = t.reference_id\n    where t.source = 'payment'",
      "join public.payments p on p.id = t.reference_id\n    where false",
      "it granted twice",
    ),
    changedUsers(
      "What is new includes users who are new.",
      "where u.created_at >= changed_users.since and u.created_at < changed_users.before",
      "where false",
      "it is not given",
    ),
    changedUsers(
      "What is new includes users with new entries.",
      "where t.created_at >= changed_users.since and t.created_at < changed_users.before",
      "where false",
      "it is charged as well",
    ),
    changedUsers(
      "What is new includes users whose adjustments were written.",
      "where a.changed_at >= changed_users.since and a.changed_at < changed_users.before",
      "where false",
      "it asked for more",
    ),
    changedUsers(
      "What is new includes the owners of orders that were written.",
      "where o.user_id is not null",
      "where false",
      "an order does",
    ),
    inFunction("check_ledger")(
      "What is new includes entries by their time.",
      "select n.* from new_entries n where check_ledger.since is not null",
      "select n.* from new_entries n where false",
      "it is given twice",
    ),
    inFunction("note_change")(
      "A row that is written says when.",
      "new.changed_at := clock_timestamp();",
      "new.changed_at := coalesce(new.changed_at, clock_timestamp());",
      "one takes more",
    ),
  ],
};
