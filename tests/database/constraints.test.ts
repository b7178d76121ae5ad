/**
 * The tables themselves reject invalid rows, even if a function forgets to check.
 * @module
 */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { createTestDatabase } from "../support/database.ts";
import { one } from "../support/lists.ts";

const database = await createTestDatabase();
const { sql } = database;
Deno.test.afterAll(() => database.drop());

const KNOWN_USER = "00000000-0000-4000-8000-000000000001";
await sql`
  insert into public.users (id, phone_number, credits, transaction_count)
  values (${KNOWN_USER}, '+919800000001', 3, 1)`;
await sql`
  insert into public.credit_transactions
    (user_id, sequence_number, action, credits, source, reference_id, balance_after)
  values (${KNOWN_USER}, 1, 'credit', 3, 'system', 'welcome', 3)`;

type Row = Record<string, postgres.SerializableParameter>;

const KNOWN_ORDER = "00000000-0000-4000-8000-000000000002";

/** The Razorpay ids of an order that is stored already. */
const KNOWN_IDS = {
  razorpay_order_id: "order_RB58MiP5SPFYyA",
  razorpay_payment_id: "pay_RB58MiP5SPFYyA",
  razorpay_payment_link_id: "plink_RB58MiP5SPFYyA",
};

/** The sources of entries that count once for each reference. */
const COUNTED_ONCE = ["system", "payment", "image_generation", "merge"] as const;

/** An action that entries of a source may have. */
const actionOf = (source: string) =>
  source === "system" || source === "payment" ? "credit" : "debit";

/** The columns of a paid order and of a link, besides their Razorpay ids. */
const PAID = { user_id: KNOWN_USER, state: "paid", paid_at: new Date() };
const LINK = { channel: "link", short_url: "https://rzp.io/rzp/1", expires_at: new Date() };

/** The columns of a user with an open hold, and of a hold that has ended. */
const HOLDING = {
  credits: 5,
  held_credits: 5,
  open_holds: 1,
  next_hold_expiry_at: new Date(),
};
const ENDED = { ended_at: new Date() };

const HOLDING_CONSTRAINT = "a_user_with_open_holds_says_how_many_and_until_when";

/** A valid row for each table, in which a test replaces columns by invalid values. */
const SOUND = {
  users: () => ({ phone_number: "+919800000002", credits: 0, transaction_count: 0 }),
  credit_transactions: () => ({
    user_id: KNOWN_USER,
    sequence_number: 10,
    action: "debit",
    credits: 1,
    source: "image_generation",
    reference_id: null,
    balance_after: 2,
  }),
  action_prices: () => ({
    action_id: "sound",
    unit: "piece",
    credits: 1,
    done_message: "Made.",
  }),
  holds: () => ({
    user_id: KNOWN_USER,
    reference_id: "sound",
    action_id: "image_generation",
    price_id: 1,
    credits: 5,
    expires_at: new Date(),
    remaining_after: 2,
  }),
  packages: () => ({ id: "sound", name: "Sound", price: "10.00", credits: 5 }),
  payment_orders: () => ({
    phone_number: "+919800000002",
    package_id: "starter",
    package_name: "Starter",
    credits: 20,
    amount_paise: 9_900,
    currency: "INR",
    key_mode: "test",
    channel: "checkout",
    state: "open",
    razorpay_order_id: "order_RB58MiP5SPFYyM",
    opened_at: new Date(),
  }),
  payments: () => ({
    id: "pay_RB58MiP5SPFYyM",
    order_id: KNOWN_ORDER,
    status: "captured",
    amount_paise: 9_900,
    currency: "INR",
    credits_granted: 20,
    balance_after_grant: 23,
    granted_at: new Date(),
    // The known payment of this order has granted credits as well.
    flag: "second_payment",
  }),
};

/** The only row that the table may have; it is there already. */
const SETTING = { name: "max_open_holds", value: 1 };

await sql`insert into public.holds ${sql({ ...SOUND.holds(), reference_id: "known" })}`;
const { razorpay_payment_id, ...otherIds } = KNOWN_IDS;
await sql`
  insert into public.payment_orders
  ${sql({ ...SOUND.payment_orders(), ...LINK, ...otherIds, id: KNOWN_ORDER })}`;
await sql`
  insert into public.payments
  ${sql({ ...SOUND.payments(), id: razorpay_payment_id, flag: null })}`;
await sql`
  update public.payment_orders set ${sql({ ...PAID, razorpay_payment_id })}
  where id = ${KNOWN_ORDER}`;
for (const [index, source] of [...COUNTED_ONCE, "refund", "dispute"].entries()) {
  const entry = {
    sequence_number: index + 2,
    action: actionOf(source),
    source,
    reference_id: "known",
  };
  await sql`
    insert into public.credit_transactions ${sql({ ...SOUND.credit_transactions(), ...entry })}`;
}

class Rollback extends Error {}

/** Inserts a row and rolls it back. */
async function insert(table: string, row: Row): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`insert into public.${sql(table)} ${sql(row)}`;
    throw new Rollback();
  }).catch((error) => {
    if (!(error instanceof Rollback)) throw error;
  });
}

Deno.test.each(Object.keys(SOUND) as (keyof typeof SOUND)[])(
  "a sound row is welcome in %s",
  async (table) => {
    await insert(table, SOUND[table]());
  },
);

Deno.test.each(
  [
    ["users", { phone_number: "919800000002" }, "phone_number_is_e164"],
    ["users", { phone_number: "+09198000000" }, "phone_number_is_e164"],
    ["users", { phone_number: "+91 9800000002" }, "phone_number_is_e164"],
    ["users", { phone_number: "+919800000002\n" }, "phone_number_is_e164"],
    ["users", { phone_number: "+123" }, "phone_number_is_e164"],
    ["users", { phone_number: "+1234567890123456" }, "phone_number_is_e164"],
    ["users", { phone_number: "" }, "phone_number_is_e164"],
    ["users", { phone_number: "+919800000001" }, "users_phone_number_key"],
    ["users", { credits: -1 }, "credits_are_never_negative"],
    ["users", { transaction_count: -1 }, "transaction_count_is_never_negative"],

    ["credit_transactions", { action: "refund" }, "action_is_credit_or_debit"],
    ["credit_transactions", { action: "" }, "action_is_credit_or_debit"],
    ["credit_transactions", { credits: 0 }, "an_entry_moves_at_least_one_credit"],
    ["credit_transactions", { credits: -1 }, "an_entry_moves_at_least_one_credit"],
    ["credit_transactions", { action: "credit" }, "the_source_says_the_action"],
    ["credit_transactions", { balance_after: -1 }, "balance_after_is_never_negative"],
    ["credit_transactions", { sequence_number: 0 }, "sequence_numbers_start_at_one"],
    ["credit_transactions", { sequence_number: 1 }, "credit_transactions_pkey"],
    [
      "credit_transactions",
      { user_id: "00000000-0000-4000-8000-000000000009" },
      "credit_transactions_user_id_fkey",
    ],

    ["users", { held_credits: -1 }, "held_credits_are_part_of_the_balance"],
    ["users", { ...HOLDING, held_credits: 6 }, "held_credits_are_part_of_the_balance"],
    ["users", { ...HOLDING, open_holds: 0 }, HOLDING_CONSTRAINT],
    ["users", { ...HOLDING, held_credits: 0 }, HOLDING_CONSTRAINT],
    ["users", { ...HOLDING, next_hold_expiry_at: null }, HOLDING_CONSTRAINT],

    ["action_prices", { action_id: "Sound" }, "action_id_is_a_short_word"],
    ["action_prices", { action_id: "" }, "action_id_is_a_short_word"],
    ["action_prices", { action_id: "a".repeat(65) }, "action_id_is_a_short_word"],
    ["action_prices", { action_id: "system" }, "action_id_is_not_taken"],
    ["action_prices", { action_id: "payment" }, "action_id_is_not_taken"],
    ["action_prices", { action_id: "refund" }, "action_id_is_not_taken"],
    ["action_prices", { action_id: "dispute" }, "action_id_is_not_taken"],
    ["action_prices", { action_id: "merge" }, "action_id_is_not_taken"],
    ["action_prices", { action_id: "adjustment" }, "action_id_is_not_taken"],
    ["action_prices", { unit: " " }, "unit_is_not_blank"],
    ["action_prices", { credits: 0 }, "a_price_is_one_to_a_thousand_credits"],
    ["action_prices", { credits: 1001 }, "a_price_is_one_to_a_thousand_credits"],
    ["action_prices", { per_quantity: 0 }, "per_quantity_is_a_possible_quantity"],
    ["action_prices", { per_quantity: 10_000_001 }, "per_quantity_is_a_possible_quantity"],
    ["action_prices", { minimum_credits: 0 }, "the_minimum_is_one_to_a_thousand_credits"],
    ["action_prices", { minimum_credits: 1001 }, "the_minimum_is_one_to_a_thousand_credits"],
    ["action_prices", { done_message: "" }, "done_message_is_not_blank"],
    ["action_prices", { valid_until: new Date(0) }, "a_price_ends_after_it_began"],

    ["holds", { credits: 0 }, "a_hold_charges_no_more_than_it_reserves"],
    ["holds", { ended_at: new Date() }, "an_ended_hold_says_when_and_what"],
    ["holds", { state: "expired" }, "an_ended_hold_says_when_and_what"],
    ["holds", { captured_credits: 1 }, "an_ended_hold_says_when_and_what"],
    [
      "holds",
      { ...ENDED, state: "captured", captured_credits: 6 },
      "a_hold_charges_no_more_than_it_reserves",
    ],
    [
      "holds",
      { ...ENDED, state: "released", captured_credits: -1 },
      "a_hold_charges_no_more_than_it_reserves",
    ],
    [
      "holds",
      { ...ENDED, state: "captured", captured_credits: 0 },
      "an_ended_hold_says_when_and_what",
    ],
    [
      "holds",
      { ...ENDED, state: "captured", captured_credits: null },
      "an_ended_hold_says_when_and_what",
    ],
    [
      "holds",
      { ...ENDED, state: "released", captured_credits: 1 },
      "an_ended_hold_says_when_and_what",
    ],
    ["holds", { reference_id: "known" }, "holds_pkey"],

    ["settings", { name: "max_holds" }, "name_is_known"],
    ["settings", { value: -1 }, "value_is_never_negative"],
    ["settings", { value: 1001 }, "a_user_opens_at_most_a_thousand_holds"],
    ["settings", {}, "settings_pkey"],

    ["packages", { id: "Starter" }, "id_is_a_short_word"],
    ["packages", { id: "" }, "id_is_a_short_word"],
    ["packages", { id: "../starter" }, "id_is_a_short_word"],
    ["packages", { id: "a".repeat(65) }, "id_is_a_short_word"],
    ["packages", { id: "starter" }, "packages_pkey"],
    ["packages", { name: " \t" }, "name_is_not_blank"],
    ["packages", { price: "0.99" }, "price_is_at_least_one_rupee"],
    ["packages", { price: "-1" }, "price_is_at_least_one_rupee"],
    ["packages", { credits: 0 }, "a_package_holds_at_least_one_credit"],
    ["packages", { credits: 1_000_001 }, "a_package_holds_at_most_a_million_credits"],

    ["payment_orders", { credits: 0 }, "an_order_grants_at_least_one_credit"],
    ["payment_orders", { amount_paise: 99 }, "amount_is_at_least_one_rupee"],
    ["payment_orders", { currency: "USD" }, "currency_is_inr"],
    ["payment_orders", { key_mode: "prod" }, "key_mode_is_test_or_live"],
    ["payment_orders", { state: "done" }, "state_is_known"],
    [
      "payment_orders",
      { razorpay_order_id: null, opened_at: null },
      "only_a_pending_order_has_no_razorpay_order",
    ],
    ["payment_orders", { opened_at: null }, "an_order_is_opened_when_razorpay_knows_it"],
    ["payment_orders", { state: "paid" }, "a_paid_order_and_no_other_has_a_user"],
    ["payment_orders", { user_id: KNOWN_USER }, "a_paid_order_and_no_other_has_a_user"],
    [
      "payment_orders",
      { state: "paid", user_id: KNOWN_USER },
      "a_paid_order_names_its_payment",
    ],
    ["payment_orders", { phone_number: null }, "an_order_is_for_somebody"],
    ["payment_orders", { phone_number: "9800000002" }, "phone_number_is_e164"],
    ["payment_orders", { whatsapp_user_id: "in.1" }, "whatsapp_user_id_is_of_its_kind"],
    ["payment_orders", { credits: 1_000_001 }, "an_order_grants_at_most_a_million_credits"],
    [
      "payment_orders",
      { razorpay_payment_id: "pay_RB58MiP5SPFYyM" },
      "a_paid_order_names_its_payment",
    ],
    [
      "payment_orders",
      { state: "paid", user_id: KNOWN_USER, razorpay_payment_id: "pay_RB58MiP5SPFYyM" },
      "a_paid_order_says_when",
    ],
    ["payment_orders", { package_id: "no-such-package" }, "payment_orders_package_id_fkey"],
    [
      "payment_orders",
      { razorpay_order_id: KNOWN_IDS.razorpay_order_id },
      "payment_orders_razorpay_order_id_key",
    ],
    [
      "payment_orders",
      { ...PAID, razorpay_payment_id: KNOWN_IDS.razorpay_payment_id },
      "payment_orders_razorpay_payment_id_key",
    ],
    [
      "payment_orders",
      { ...LINK, razorpay_payment_link_id: KNOWN_IDS.razorpay_payment_link_id },
      "payment_orders_razorpay_payment_link_id_key",
    ],

    ["payments", { status: "paid" }, "status_is_razorpays"],
    ["payments", { amount_paise: 0 }, "amount_is_positive"],
    ["payments", { flag: "odd" }, "flag_is_known"],
    ["payments", { credits_granted: -1 }, "a_grant_is_never_negative"],
    ["payments", { granted_at: null }, "a_grant_says_when_and_what_was_left"],
    ["payments", { flag: null }, "one_grant_per_order"],
    ["payments", { id: KNOWN_IDS.razorpay_payment_id }, "payments_pkey"],
  ] as const,
)("%s refuses %j", async (table, nonsense, constraint) => {
  const sound = table === "settings" ? SETTING : SOUND[table]();
  await rejects(insert(table, { ...sound, ...nonsense }), { constraint_name: constraint });
});

Deno.test("a hold that is captured in part, or by nothing, is welcome", async () => {
  await insert("holds", { ...SOUND.holds(), ...ENDED, state: "captured", captured_credits: 1 });
  await insert("holds", { ...SOUND.holds(), ...ENDED, state: "released", captured_credits: 0 });
  await insert("users", { ...SOUND.users(), ...HOLDING });
});

Deno.test.each(COUNTED_ONCE)(
  "a second %s entry with the same reference is refused",
  async (source) => {
    const entry = {
      ...SOUND.credit_transactions(),
      action: actionOf(source),
      source,
      reference_id: "known",
    };
    await rejects(insert("credit_transactions", entry), {
      constraint_name: /^one_(entry|charge)_per_/,
    });
    await insert("credit_transactions", { ...entry, reference_id: "new" });
  },
);

Deno.test.each(["refund", "dispute"])("a %s may have several entries", async (source) => {
  const entry = { ...SOUND.credit_transactions(), source, reference_id: "known" };
  await insert("credit_transactions", entry);
});

Deno.test.each([
  ["is no number", "NaN"],
  ["is too high for an amount in paise", "21474836.48"],
])("packages refuses a price that %s", async (_, price) => {
  await rejects(insert("packages", { ...SOUND.packages(), price }), { code: "23514" });
});

Deno.test("every column that the contract returns has a value, but for those that may lack one", async () => {
  const nullable = await sql`
    select table_name || '.' || column_name as column
    from information_schema.columns
    where table_schema = 'public' and is_nullable = 'YES'
      and table_name in ('users', 'credit_transactions', 'packages')
    order by 1`;
  deepStrictEqual(nullable.map(({ column }) => column), [
    // Entries that are no charges, or from before there were prices and holds.
    "credit_transactions.price_id",
    "credit_transactions.quantity",
    "credit_transactions.reference_id",
    "credit_transactions.remaining_after",
    "users.erased_at",
    // An account that is not frozen.
    "users.frozen_at",
    // A user known only by a WhatsApp user id has no number, and a merged account no longer has one.
    "users.merged_into",
    "users.next_hold_expiry_at",
    "users.phone_number",
  ]);
});

Deno.test.each([
  ["deduct_credits", "select public.deduct_credits('+919800000003', 0)"],
  ["deduct_credits", "select public.deduct_credits('+919800000003', -5)"],
  ["deduct_credits", "select public.deduct_credits('+919800000003', quantity => 0)"],
  ["deduct_credits", "select public.deduct_credits('+919800000003', 1, quantity => 1)"],
  ["deduct_credits", "select public.deduct_credits(null)"],
  ["reserve_credits", "select public.reserve_credits('+919800000003')"],
  ["reserve_credits", "select public.reserve_credits('+919800000003', null, 'a', credits => 0)"],
  ["reserve_credits", "select public.reserve_credits('+919800000003', null, 'a', quantity => -1)"],
  [
    "reserve_credits",
    "select public.reserve_credits('+919800000003', null, 'a', quantity => 1, credits => 1)",
  ],
  [
    "reserve_credits",
    "select public.reserve_credits('+919800000003', null, 'a', expires_in_seconds => 0)",
  ],
  ["capture_credits", "select public.capture_credits('+919800000003')"],
  ["capture_credits", "select public.capture_credits('+919800000003', null, 'a', credits => -1)"],
  [
    "capture_credits",
    "select public.capture_credits('+919800000003', null, 'a', quantity => 0, credits => 0)",
  ],
  ["release_hold", "select public.release_hold('+919800000003')"],
  ["get_user", "select public.get_user('9800000003')"],
  ["get_user", "select public.get_user(null)"],
  [
    "place_order",
    "select public.place_order('starter', 'test', phone_number => 'nobody')",
  ],
  ["place_order", "select public.place_order('starter', 'test')"],
  [
    "place_order",
    "select public.place_order('starter', 'test', 'checkout', 'a reference', '+919800000003')",
  ],
  [
    "place_order",
    "select public.place_order('starter', 'prod', phone_number => '+919800000003')",
  ],
])("%s refuses arguments that no endpoint sends, and writes nothing: %s", async (_, statement) => {
  const count = () => sql`select count(*) from public.users`;
  const before = one(await count());
  await rejects(sql.unsafe(statement));
  const after = one(await count());
  strictEqual(after.count, before.count);
});
