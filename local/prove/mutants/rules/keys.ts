/**
 * What the tables refuse by themselves: keys, constraints and triggers, the last line of defense.
 * @module
 */

import type { Mutant, Subject } from "../mutant.ts";

/** In the titles of the tests that insert a row which must be refused. */
const ROW = " refuses ";
const SECOND_ENTRY = "entry with the same reference is refused";

/** Makes mutants of a file of tables. */
const inTables = (name: string) => (rule: string, find: string, replace: string): Mutant => ({
  rule,
  file: `supabase/schemas/tables/${name}.sql`,
  find,
  replace,
  test: "tests/database/constraints.test.ts",
  filter: ROW,
});

const ledger = inTables("ledger");
const orders = inTables("orders");
const payments = inTables("payments");
const users = inTables("users");

export const keys: Subject = {
  name: "keys, constraints and triggers",
  mutants: [
    {
      ...ledger(
        "A reference pays once, also where no function looks.",
        "create unique index one_charge_per_reference",
        "create index one_charge_per_reference",
      ),
      filter: SECOND_ENTRY,
    },
    {
      ...ledger(
        "A payment has one entry, also where no function looks.",
        "where source in ('system', 'payment', 'merge');",
        "where source in ('system', 'merge');",
      ),
      filter: SECOND_ENTRY,
    },
    {
      ...ledger(
        "A welcome and a merge have one entry, also where no function looks.",
        "where source in ('system', 'payment', 'merge');",
        "where source in ('payment');",
      ),
      filter: SECOND_ENTRY,
    },
    ledger(
      "A balance is never negative.",
      "check (balance_after >= 0)",
      "check (balance_after >= -1000)",
    ),
    ledger(
      "An entry moves at least one credit.",
      "check (credits >= 1)",
      "check (credits >= -1)",
    ),
    ledger(
      "What a bot charges for takes credits, and adds none.",
      "else action = 'debit'",
      "else true",
    ),
    ledger(
      "A user has one entry of each number.",
      "primary key (user_id, sequence_number),",
      "primary key (id),",
    ),
    payments(
      "One payment grants the credits of an order, also where no function looks.",
      "create unique index one_grant_per_order",
      "create index one_grant_per_order",
    ),
    orders(
      "A Razorpay order belongs to one order.",
      "razorpay_order_id text unique,",
      "razorpay_order_id text,",
    ),
    orders(
      "A payment pays one order.",
      "razorpay_payment_id text unique,",
      "razorpay_payment_id text,",
    ),
    orders(
      "A payment link belongs to one order.",
      "razorpay_payment_link_id text unique,",
      "razorpay_payment_link_id text,",
    ),
    orders(
      "An order is in rupees.",
      "check (currency = 'INR')",
      "check (currency ~ '^[A-Z]{3}$')",
    ),
    orders(
      "A paid order names its payment.",
      "check ((state = 'paid') = (razorpay_payment_id is not null))",
      "check (state = 'paid' or razorpay_payment_id is null)",
    ),
    users(
      "A number is shown by one user.",
      "phone_number text unique,",
      "phone_number text,",
    ),
    users(
      "What is reserved is a part of the balance.",
      "check (held_credits between 0 and credits)",
      "check (held_credits >= 0)",
    ),
    {
      rule: "An order is paid by a payment of its own.",
      file: "supabase/schemas/tables/payments.sql",
      find: "foreign key (razorpay_payment_id, id) references public.payments (id, order_id);",
      replace: "foreign key (razorpay_payment_id) references public.payments (id);",
      test: "tests/database/invariants.test.ts",
      filter: "an order that is paid by another one's payment",
    },
    {
      rule: "The amount of an entry is never changed.",
      file: "supabase/schemas/triggers.sql",
      find: "action, credits, source, balance_after, created_at,",
      replace: "action, source, balance_after, created_at,",
      test: "tests/database/append-only.test.ts",
    },
    {
      rule: "The ledger is never emptied.",
      file: "supabase/schemas/triggers.sql",
      find: "before truncate on public.credit_transactions\n  for each statement execute function",
      replace:
        "after insert on public.credit_transactions\n  for each statement when (false) execute function",
      test: "tests/database/append-only.test.ts",
    },
    {
      rule: "What an operator did stays on the record.",
      file: "supabase/schemas/triggers.sql",
      find: "before update or delete on public.operator_actions",
      replace: "before delete on public.operator_actions",
      test: "tests/payments/operator.test.ts",
      filter: "what an operator did cannot be changed or taken off the record",
    },
    {
      rule: "Only an erasure replaces a reference in the ledger.",
      file: "supabase/schemas/functions/private/keep_ledger.sql",
      find: "if private.is_erasing()\n    and not exists (",
      replace: "if not exists (",
      test: "tests/security/erasure.test.ts",
      filter: "nothing but the erasure replaces a reference or a reason",
    },
    {
      rule: "An erasure replaces references of the erased person alone.",
      file: "supabase/schemas/functions/private/keep_ledger.sql",
      find:
        "where (select u.erased_at from public.users u where u.id = t.user_id) is null\n        or t.source in",
      replace: "where t.source in",
      test: "tests/security/erasure.test.ts",
      filter: "during an erasure, every other change is refused as ever",
    },
    {
      rule: "An entry is never deleted.",
      file: "supabase/schemas/triggers.sql",
      find: "before delete on public.credit_transactions\n  for each row execute function",
      replace:
        "before delete on public.credit_transactions\n  for each row when (false) execute function",
      test: "tests/database/append-only.test.ts",
    },
    {
      rule: "No price begins when a planned one does.",
      file: "supabase/schemas/functions/private/keep_price_history.sql",
      find: "      or new.valid_from = v_newest.valid_from\n",
      replace: "",
      test: "tests/database/prices.test.ts",
      filter: "a price that would begin at the very moment of a planned one is refused",
    },
    {
      rule: "A price that has applied is never changed.",
      file: "supabase/schemas/triggers.sql",
      find: "before insert or update on public.action_prices",
      replace: "before insert on public.action_prices",
      test: "tests/database/prices.test.ts",
      filter: "what has applied is neither changed, nor withdrawn, nor ended in the past",
    },
  ],
};
