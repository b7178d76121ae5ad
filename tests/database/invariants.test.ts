/**
 * check_invariants finds what is wrong. A superuser, with the triggers off, breaks the books in every way
 * that it checks for.
 *
 * Each breakage names the one condition of the check that notices it. To prove that, the condition is
 * taken out of a copy of the function, which must then notice nothing.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import postgres from "postgres";
import { startBackend } from "../support/backend.ts";
import { call, dataOf, operatorHeaders } from "../support/calls.ts";
import { capture, deduct, release, reserve } from "../support/sql-bot.ts";
import { testOfTests } from "../support/mutants.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { orderPackage } from "../support/purchases.ts";
import { one } from "../support/lists.ts";
import { newPaymentId } from "../support/razorpay-ids.ts";

const backend = await startBackend();
const superuser = postgres(backend.database.superuserUrl, { max: 1, onnotice: () => {} });
Deno.test.afterAll(async () => {
  await superuser.end();
  await backend.stop();
});

const START = await now(backend.sql);

const STARTER = { credits: 20, amountPaise: 9_900 };

/** What Razorpay reports about money that went back. */
interface Reversal {
  id?: string;
  kind: "refund" | "dispute";
  status: string;
  paise?: number;
}

/** Reports a payment of an order, and returns its id. */
async function pay(
  razorpayOrderId: string,
  {
    id = newPaymentId(),
    status = "captured",
    paise = STARTER.amountPaise,
    currency = "INR",
    reversals = [],
  }: {
    id?: string;
    status?: string;
    paise?: number;
    currency?: string;
    reversals?: Reversal[];
  } = {},
): Promise<string> {
  const reports = reversals.map(({ kind, status, paise = STARTER.amountPaise, id }) => ({
    id: id ?? newPaymentId().replace("pay", kind === "refund" ? "rfnd" : "disp"),
    kind,
    status,
    amount_paise: paise,
    is_money_gone: status === "processed" || status === "lost",
    reported_at: new Date().toISOString(),
  }));
  await backend.sql`
    select public.settle_payment(${razorpayOrderId}, ${id}, ${status}, ${paise}, ${currency},
      ${backend.sql.json(reports)})`;
  return id;
}

async function spend(
  who: { phone_number: string } | { whatsapp_user_id: string },
  credits: number,
  reference?: string,
): Promise<void> {
  dataOf(await call("POST", "bot-deduct", { body: { ...who, credits, reference_id: reference } }));
}

async function userId(phone: string): Promise<string> {
  return one(
    await backend.sql<{ user_id: string }[]>`
    select user_id from public.identities where value = ${phone}`,
  ).user_id;
}

/** Bought 20 credits, spent 5, was refunded half, and bought 20 and 75 in a row. */
const BUYER = newPhoneNumber();
const bought = await orderPackage(BUYER, "starter");
const PAYMENT = await pay(bought);
await spend({ phone_number: BUYER }, 5, "job");
await pay(bought, {
  id: PAYMENT,
  reversals: [{ kind: "refund", status: "processed", paise: 4_950 }],
});
const PURCHASES_IN_A_ROW = [
  await pay(await orderPackage(BUYER, "starter"), {
    reversals: [{ kind: "refund", status: "pending" }],
  }),
  await pay(await orderPackage(BUYER, "popular"), { paise: 29_900 }),
] as const;

/** Spent everything before a refund in full and a lost dispute on top, and therefore has a debt. */
const DEBTOR = newPhoneNumber();
const indebted = await orderPackage(DEBTOR, "starter");
const LOST_PAYMENT = await pay(indebted);
await spend({ phone_number: DEBTOR }, 23);
await pay(indebted, {
  id: LOST_PAYMENT,
  reversals: [{ kind: "refund", status: "processed" }, { kind: "dispute", status: "lost" }],
});

/** Paid an order twice. The second payment went back. */
const TWICE = newPhoneNumber();
const paidTwice = await orderPackage(TWICE, "starter");
await pay(paidTwice);
const SECOND_PAYMENT = await pay(paidTwice);
const REFUNDED_SECOND_PAYMENT = await pay(paidTwice, {
  reversals: [{ kind: "refund", status: "processed" }],
});
await backend.sql`
  update public.payments set status = 'refunded' where id = ${REFUNDED_SECOND_PAYMENT}`;

/** Paid an order twice. The first payment went back, so the second one took its place. */
const REPLACED = newPhoneNumber();
const replaced = await orderPackage(REPLACED, "starter");
const REPLACED_PAYMENT = await pay(replaced);
await pay(replaced);
await pay(replaced, {
  id: REPLACED_PAYMENT,
  reversals: [{ kind: "refund", status: "processed" }],
});

/** Orders that are not paid: by the wrong amount or currency, by money that went back, not at all. */
const STRANGER = newPhoneNumber();
await spend({ phone_number: STRANGER }, 1);
const MISMATCH = await pay(await orderPackage(newPhoneNumber(), "starter"), { paise: 100 });
await pay(await orderPackage(newPhoneNumber(), "starter"), { currency: "USD" });
await pay(await orderPackage(newPhoneNumber(), "starter"), {
  reversals: [{ kind: "refund", status: "processed" }],
});
// Called refunded before any refund is known.
await pay(await orderPackage(newPhoneNumber(), "starter"), { status: "refunded" });
const UNTOUCHED = await orderPackage(newPhoneNumber(), "starter");
// Placed, but Razorpay gave no answer.
await backend.sql`
  select public.place_order('starter', 'test', phone_number => ${newPhoneNumber()})`;

/**
 * Two accounts that were merged into a third one after the other, with everything that moves. The first
 * merge was followed by one of the third account into today's.
 */
const [MERGED, EMPTY, PASSED_ON, HOME] = await mergeAccounts();

async function mergeAccounts(): Promise<[string, string, string, string]> {
  const phones = [newPhoneNumber(), newPhoneNumber(), newPhoneNumber(), newPhoneNumber()] as const;
  for (const [index, phone_number] of phones.entries()) {
    const body = { phone_number, package_id: "starter", reference_id: "the same link" };
    dataOf(await call("POST", "bot-payment-link", { body }));
    dataOf(
      await call("POST", "bot-payment-link", {
        body: { phone_number, package_id: "pro", reference_id: `link ${index}` },
      }),
    );
    // Each account has charged this job, which was possible as long as they were apart.
    await spend({ phone_number }, index === 1 ? 3 : 1, "the same job");
  }
  await spend({ phone_number: phones[0] }, 1, "job of the merged account");
  await reserve(backend.sql, { phone: phones[2] }, "captured before the merge");
  await capture(backend.sql, { phone: phones[2] }, "captured before the merge");
  const disputed = await orderPackage(phones[2], "starter");
  const id = await pay(disputed);
  const dispute = { id: "disp_00000000000000", kind: "dispute" } as const;
  await pay(disputed, { id, reversals: [{ ...dispute, status: "lost" }] });
  const ids = [
    await userId(phones[0]),
    await userId(phones[1]),
    await userId(phones[2]),
    await userId(phones[3]),
  ] as [string, string, string, string];
  const [merged, empty, passedOn, home] = ids;
  for (const [from, into] of [[merged, passedOn], [empty, passedOn], [passedOn, home]] as const) {
    const { outcome } = one(
      await backend.sql`select public.merge_users(${from}, ${into}) as outcome`,
    );
    strictEqual(outcome, "merged");
  }
  // The account that has the order now gets back what the merged one lost, under the same reference.
  await pay(disputed, { id, reversals: [{ ...dispute, status: "won" }] });
  return ids;
}

/** Has a number and a WhatsApp user id; and one who has the latter alone. */
const BOTH = newPhoneNumber();
await call("POST", "bot-deduct", {
  body: { phone_number: BOTH, whatsapp_user_id: "IN.BOTH", credits: 1 },
});
await spend({ whatsapp_user_id: "IN.ALONE" }, 1);

/** Has reserved, captured and released credits, and was charged by quantity. */
const HOLDER = newPhoneNumber();
await pay(await orderPackage(HOLDER, "starter"));
await reserve(backend.sql, { phone: HOLDER }, "open job", { credits: 2 });
await reserve(backend.sql, { phone: HOLDER }, "captured job");
await capture(backend.sql, { phone: HOLDER }, "captured job");
await reserve(backend.sql, { phone: HOLDER }, "released job");
await release(backend.sql, { phone: HOLDER }, "released job");
await deduct(backend.sql, { phone: HOLDER }, "long message", {
  action: "voice_message",
  quantity: 61,
});

/** Was given 5 credits, and had 30 taken, of which 15 are owed and 7 were forgiven. */
const ADJUSTED = newPhoneNumber();
await spend({ phone_number: ADJUSTED }, 1);
const ADJUSTED_ID = await userId(ADJUSTED);
const adjust = (credits: number, reference_id: string) =>
  backend.sql`
    select from public.adjust_credits(
      ${ADJUSTED_ID}, ${credits}, 'Asha', 'Because', ${reference_id}, allow_debt => true
    )`;
await adjust(5, "given");
await adjust(-30, "taken");
await backend.sql`
  select from public.forgive_debt(${ADJUSTED_ID}, 'Asha', 'Because', 'forgiven', 7)`;
await adjust(1, "given later");

/** Was erased with a link that nobody had paid, which somebody paid later; and came back. */
const RETURNED = newPhoneNumber();
const ERASED = await eraseAndReturn();

async function eraseAndReturn(): Promise<string> {
  await spend({ phone_number: RETURNED }, 1, "job before the erasure");
  const body = { phone_number: RETURNED, package_id: "starter", reference_id: "link" };
  dataOf(await call("POST", "bot-payment-link", { body }));
  const open = await orderPackage(RETURNED, "starter");
  const id = await userId(RETURNED);
  dataOf(
    await call("POST", "erase-user", {
      body: { user_id: id, operator: "Asha", reason: "They asked", reference_id: "erasure" },
      headers: operatorHeaders(),
    }),
  );
  await pay(open);
  dataOf(await call("GET", `bot-credits/${RETURNED}`));
  return id;
}

/** Was charged before there were prices. */
const OLD = newPhoneNumber();
await spend({ phone_number: OLD }, 1, "old job");
await superuser.begin(async (sql) => {
  await sql`set local session_replication_role = replica`;
  await sql`
    update public.credit_transactions set price_id = null, remaining_after = null
    where reference_id = 'old job'`;
});

const user = (value: string) => `(select user_id from public.identities where value = '${value}')`;
const orderOf = (payment: string) =>
  `(select order_id from public.payments where id = '${payment}')`;
const lastPlace = (userId: string) =>
  `(select max(sequence_number) from public.credit_transactions where user_id = ${userId})`;

/** A way to break the books. */
interface Breakage {
  /** The statements that break them. Together they change something. */
  statements: string[];
  /** The private function and the passage in it that notices, and what to replace it with. */
  noticedBy: [functionName: string, passage: string, replacement: string];
  /** Whether it is about an order for somebody who is no user yet. */
  isOfNoUser?: boolean;
}

const ledger = (passage: string, replacement: string) =>
  ["check_ledger", passage, replacement] as Breakage["noticedBy"];
const accounts = (passage: string, replacement: string) =>
  ["check_accounts", passage, replacement] as Breakage["noticedBy"];
const orders = (passage: string, replacement: string) =>
  ["check_orders", passage, replacement] as Breakage["noticedBy"];
const payments = (passage: string, replacement: string) =>
  ["check_payments", passage, replacement] as Breakage["noticedBy"];
const reversals = (passage: string, replacement: string) =>
  ["check_reversals", passage, replacement] as Breakage["noticedBy"];

const adjustments = (passage: string, replacement: string) =>
  ["check_adjustments", passage, replacement] as Breakage["noticedBy"];
const holds = (passage: string, replacement: string) =>
  ["check_holds", passage, replacement] as Breakage["noticedBy"];

/** What the merge of two accounts leaves in the ledger. */
const PAIR = `other.user_id = m.other_id
      and other.reference_id = case m.action
        when 'debit' then replace(left(m.reference_id, -36), 'into ', 'from ')
        else replace(left(m.reference_id, -36), 'from ', 'into ')
      end || m.user_id
      and `;

/** Ways to break the books, by the invariant that each one breaks. */
const BREAKAGES: Record<string, Record<string, Breakage>> = {
  "the balance is that after the newest entry": {
    "a balance is too high": {
      statements: [`update public.users set credits = credits + 1 where id = ${user(BUYER)}`],
      noticedBy: ledger("e.credits <> coalesce(", "e.credits < coalesce("),
    },
    "a balance is too low": {
      statements: [`update public.users set credits = credits - 1 where id = ${user(BUYER)}`],
      noticedBy: ledger("e.credits <> coalesce(", "e.credits > coalesce("),
    },
    "a whole history is gone": {
      statements: [`delete from public.credit_transactions where user_id = ${user(BUYER)}`],
      noticedBy: ledger(
        "e.credits <> coalesce(e.balance_after, 0)",
        "e.credits <> e.balance_after",
      ),
    },
  },
  "the entries are counted": {
    "the count is too high": {
      statements: [
        `update public.users set transaction_count = transaction_count + 1
          where id = ${user(BUYER)}`,
      ],
      noticedBy: ledger("(e.sequence_number, 0) <> ", "(e.sequence_number, 0) > "),
    },
    "the count is too low": {
      statements: [
        `update public.users set transaction_count = transaction_count - 1
          where id = ${user(BUYER)}`,
      ],
      noticedBy: ledger("(e.sequence_number, 0) <> ", "(e.sequence_number, 0) < "),
    },
  },
  "every entry follows from the one before it": {
    "a balance after an entry is wrong": {
      statements: [
        `update public.credit_transactions set balance_after = balance_after + 1
          where user_id = ${user(BUYER)} and sequence_number = 2`,
      ],
      noticedBy: ledger(
        "t.balance_after <> case t.sequence_number when 1 then 0 else previous.balance_after end\n" +
          "      + case t.action when 'credit' then t.credits else -t.credits end\n    or ",
        "",
      ),
    },
    "a number is left out": {
      statements: [
        `update public.credit_transactions set sequence_number = sequence_number + 1
          where user_id = ${user(BUYER)} and sequence_number = ${lastPlace(user(BUYER))}`,
      ],
      noticedBy: ledger("\n    or previous.id is null and t.sequence_number > 1", ""),
    },
  },
  "the welcome is given once, first, and to everybody": {
    "it is given twice": {
      statements: [
        `insert into public.credit_transactions
          (user_id, sequence_number, action, credits, source, reference_id, balance_after)
          values (${user(BUYER)}, 50, 'credit', 3, 'system', 'again', 11)`,
      ],
      noticedBy: ledger("where t.source = 'system' and t.sequence_number > 1", "where false"),
    },
    "it is not given": {
      statements: [`insert into public.users (credits, transaction_count) values (0, 0)`],
      noticedBy: ledger("(t.source is not distinct from 'system') =", "(t.source = 'system') ="),
    },
    "it is given to somebody who comes back": {
      statements: [
        `update public.users set is_without_welcome = true where id = ${user(BUYER)}`,
      ],
      noticedBy: ledger(
        "where (t.source is not distinct from 'system') = u.is_without_welcome",
        "where t.source is distinct from 'system' and not u.is_without_welcome",
      ),
    },
    "another entry comes first": {
      statements: [
        `update public.credit_transactions set source = 'refund'
          where user_id = ${user(BUYER)} and source = 'system'`,
      ],
      noticedBy: ledger("(t.source is not distinct from 'system') =", "(t.source is not null) ="),
    },
  },
  "nothing of an erased user names a person": {
    "the reference of a charge is what it was": {
      statements: [
        `update public.credit_transactions set reference_id = 'wamid.1'
          where user_id = '${ERASED}' and source = 'image_generation'`,
      ],
      noticedBy: ledger("and t.reference_id not like 'erased %'", "and false"),
    },
  },
  "a merge moves what it takes": {
    "it adds a credit": {
      statements: [
        `update public.credit_transactions set credits = credits + 1
          where user_id = '${PASSED_ON}' and source = 'merge' and action = 'credit'`,
      ],
      noticedBy: ledger("\n      and other.credits = m.credits", ""),
    },
    "both sides take": {
      statements: [
        `update public.credit_transactions set action = 'debit'
          where user_id = '${PASSED_ON}' and source = 'merge' and action = 'credit'`,
      ],
      noticedBy: ledger(PAIR, ""),
    },
    "it gives to somebody else": {
      statements: [
        `update public.credit_transactions set user_id = ${user(STRANGER)}
          where user_id = '${PASSED_ON}' and source = 'merge' and action = 'credit'`,
      ],
      noticedBy: ledger(PAIR, ""),
    },
    "it names somebody else": {
      statements: [
        `update public.credit_transactions
          set reference_id = 'into ' || ${user(STRANGER)}::text
          where user_id = '${MERGED}' and source = 'merge'`,
      ],
      noticedBy: ledger(PAIR, ""),
    },
  },
  "only a merged account gives its credits to another": {
    "accounts that are not merged exchange credits": {
      statements: [
        `update public.users set merged_into = nullif('${PASSED_ON}', id)
          where id in ('${PASSED_ON}', '${MERGED}', '${EMPTY}')`,
      ],
      noticedBy: ledger("and u.merged_into is distinct from", "and u.merged_into <>"),
    },
    "the account is merged into another one": {
      statements: [
        `update public.users set merged_into = ${user(STRANGER)} where id = '${MERGED}'`,
      ],
      noticedBy: ledger(
        "and u.merged_into is distinct from coalesce(other.merged_into, m.other_id)",
        "and u.merged_into is null",
      ),
    },
  },
  "a reference that a merged account has charged is not charged again": {
    "it is charged again": {
      statements: [
        `insert into public.credit_transactions
          (user_id, sequence_number, action, credits, source, reference_id, balance_after)
          values ('${PASSED_ON}', ${lastPlace(`'${PASSED_ON}'`)} + 1, 'debit', 1,
            'image_generation', 'job of the merged account', 0)`,
      ],
      noticedBy: ledger(
        "and hashtextextended(charged.reference_id, 0) = hashtextextended(again.reference_id, 0)",
        "and charged.reference_id = again.source",
      ),
    },
  },
  "every identity of a user is its own, and its number is one of them": {
    "an account has no identity": {
      statements: [`delete from public.identities where value = 'IN.ALONE'`],
      noticedBy: accounts(
        "(count(i.value) = 0) <> (num_nonnulls(u.merged_into, u.erased_at) > 0)",
        "count(i.value) > 0 and num_nonnulls(u.merged_into, u.erased_at) > 0",
      ),
    },
    "a merged account has one": {
      statements: [
        `update public.identities set user_id = '${EMPTY}' where value = 'IN.BOTH'`,
      ],
      noticedBy: accounts(
        "(count(i.value) = 0) <> (num_nonnulls(u.merged_into, u.erased_at) > 0)",
        "count(i.value) = 0 and num_nonnulls(u.merged_into, u.erased_at) = 0",
      ),
    },
    "the number of a user is no identity of theirs": {
      statements: [`delete from public.identities where value = '${BOTH}'`],
      noticedBy: accounts(
        "u.phone_number is not null\n      and count(*) filter " +
          "(where i.kind = 'phone' and i.value = u.phone_number) = 0\n    or ",
        "",
      ),
    },
    "the number of a user is not shown": {
      statements: [
        `update public.users set phone_number = null where id = ${user(BUYER)}`,
      ],
      noticedBy: accounts(
        "\n    or u.phone_number is null and count(*) filter (where i.kind = 'phone') > 0",
        "",
      ),
    },
  },
  "a merged account is empty": {
    "it has a credit": {
      statements: [`update public.users set credits = 1 where id = '${EMPTY}'`],
      noticedBy: accounts("u.credits > 0 or u.debt_credits > 0)", "u.debt_credits > 0)"),
    },
    "it has a debt": {
      statements: [`update public.users set debt_credits = 1 where id = '${EMPTY}'`],
      noticedBy: accounts("(u.credits > 0 or u.debt_credits > 0)", "u.credits > 0"),
    },
  },
  "a merged account leads to the current account in one step": {
    "it leads to another merged one": {
      statements: [
        `update public.users set merged_into = '${PASSED_ON}' where id = '${EMPTY}'`,
      ],
      noticedBy: accounts("where next.merged_into is not null", "where next.merged_into = u.id"),
    },
  },
  "no order, reference, adjustment or identity belongs to a merged account": {
    "an order does": {
      statements: [
        `update public.payment_orders set user_id = '${EMPTY}' where id = ${orderOf(PAYMENT)}`,
      ],
      noticedBy: accounts(
        "select 'order ' || o.id, o.user_id from public.payment_orders o\n    union all",
        "",
      ),
    },
    "an identity does": {
      statements: [
        `update public.identities set user_id = '${EMPTY}' where value = 'IN.BOTH'`,
      ],
      noticedBy: accounts(
        "select 'identity ' || i.value, i.user_id from public.identities i\n    union all",
        "",
      ),
    },
    "a reference does": {
      statements: [
        `update public.order_references set user_id = '${EMPTY}' where reference_id = 'link 0'`,
      ],
      noticedBy: accounts(
        "union all\n    select 'reference ' || r.reference_id, r.user_id from public.order_references r",
        "",
      ),
    },
    "an adjustment does": {
      statements: [
        `update public.adjustments set user_id = '${EMPTY}' where reference_id = 'given'`,
      ],
      noticedBy: accounts(
        "union all\n    select 'adjustment ' || a.reference_id, a.user_id from public.adjustments a",
        "",
      ),
    },
  },
  "a debt is the sum of what is owed, and is paid while there are credits that are not reserved": {
    "a debt is forgotten": {
      statements: [`update public.users set debt_credits = 0 where id = ${user(DEBTOR)}`],
      noticedBy: accounts("u.debt_credits <> sum(u.credits_owed)\n    or ", ""),
    },
    "a debt is made up": {
      statements: [
        `update public.users set debt_credits = 1, credits = 0 where id = ${user(STRANGER)}`,
      ],
      noticedBy: accounts("u.debt_credits <> sum(u.credits_owed)\n    or ", ""),
    },
    "a debt of an adjustment is forgotten": {
      statements: [`update public.users set debt_credits = 0 where id = ${user(ADJUSTED)}`],
      noticedBy: accounts("u.debt_credits <> sum(u.credits_owed)\n    or ", ""),
    },
    "it is not paid": {
      statements: [`update public.users set credits = 1 where id = ${user(DEBTOR)}`],
      noticedBy: accounts("\n    or u.debt_credits > 0 and u.credits > u.held_credits", ""),
    },
  },
  "a paid order granted its credits once, to its user": {
    "it granted nothing": {
      statements: [`delete from public.credit_transactions where reference_id = '${PAYMENT}'`],
      noticedBy: orders("t.entries <> 1 or ", "t.entries > 1 or "),
    },
    "it granted more": {
      statements: [
        `update public.credit_transactions set credits = 2000 where reference_id = '${PAYMENT}'`,
      ],
      noticedBy: orders("t.credits <> o.credits or ", ""),
    },
    "it granted to somebody else": {
      statements: [
        `update public.credit_transactions set user_id = ${user(STRANGER)}, sequence_number = 50
          where reference_id = '${PAYMENT}'`,
      ],
      noticedBy: orders(
        " or not t.are_of_the_user",
        "",
      ),
    },
    "it granted twice": {
      statements: [
        `insert into public.credit_transactions
          (user_id, sequence_number, action, credits, source, reference_id, balance_after)
          select '${HOME}', 50, action, 1, source, reference_id, balance_after
          from public.credit_transactions where reference_id = '${PAYMENT}'`,
        `update public.credit_transactions set credits = credits - 1
          where reference_id = '${PAYMENT}' and user_id = ${user(BUYER)}`,
        `update public.users set merged_into = ${user(BUYER)} where id = '${HOME}'`,
      ],
      noticedBy: orders("t.entries <> 1 or ", "t.entries < 1 or "),
    },
  },
  "a reference leads to an order of its user": {
    "it leads to another user's": {
      statements: [
        `update public.order_references set order_id = ${orderOf(PAYMENT)}
          where reference_id = 'link 0'`,
      ],
      noticedBy: orders(
        "where coalesce(u.merged_into, u.id) is distinct from owner.id",
        "where false",
      ),
    },
  },
  "an order knows whether somebody tried to pay it": {
    "it does not": {
      statements: [
        `update public.payment_orders set tried_at = null where id = ${orderOf(PAYMENT)}`,
      ],
      noticedBy: orders(
        "(o.tried_at is null) <> (p.id is null)",
        "o.tried_at is not null and p.id is null",
      ),
    },
    "it is wrong": {
      isOfNoUser: true,
      statements: [
        `update public.payment_orders set tried_at = created_at
          where razorpay_order_id = '${UNTOUCHED}'`,
      ],
      noticedBy: orders(
        "(o.tried_at is null) <> (p.id is null)",
        "o.tried_at is null and p.id is not null",
      ),
    },
  },
  "an order knows whether a reference led to it": {
    "it does not": {
      statements: [
        `update public.payment_orders set has_reference = false
          where id = (select order_id from public.order_references where reference_id = 'link 0')`,
      ],
      noticedBy: orders("where o.has_reference <> exists", "where o.has_reference and not exists"),
    },
    "it is wrong": {
      isOfNoUser: true,
      statements: [
        `update public.payment_orders set has_reference = true
          where razorpay_order_id = '${UNTOUCHED}'`,
      ],
      noticedBy: orders("where o.has_reference <> exists", "where not o.has_reference and exists"),
    },
  },
  "Razorpay is asked about an order as long as its money may move": {
    "an unpaid order is forgotten": {
      isOfNoUser: true,
      statements: [
        `update public.payment_orders set next_check_at = null
          where razorpay_order_id = '${UNTOUCHED}'`,
      ],
      noticedBy: orders("else interval '6 days' end", "end"),
    },
    "a paid order is forgotten": {
      statements: [
        `update public.payment_orders
          set next_check_at = null, paid_at = paid_at - interval '100 days'
          where id = ${orderOf(PAYMENT)}`,
      ],
      noticedBy: orders("when 'paid' then interval '180 days' else", "when 'never' then null else"),
    },
    "a link that nobody opened is forgotten": {
      statements: [
        `update public.payment_orders set next_check_at = null
          where state = 'pending' and razorpay_payment_link_id is not null`,
      ],
      noticedBy: orders(
        "num_nonnulls(o.razorpay_order_id, o.razorpay_payment_link_id) > 0",
        "o.razorpay_order_id is not null",
      ),
    },
  },
  "every payment entry belongs to a payment of a paid order": {
    "it names no payment": {
      statements: [
        `update public.credit_transactions set reference_id = 'pay_00000000000000'
          where reference_id = '${PAYMENT}'`,
      ],
      noticedBy: ledger("where o.id is null", "where o.id is null and p.id is not null"),
    },
    "its payment granted another number": {
      statements: [
        `update public.payments set credits_granted = 1000 where id = '${PAYMENT}'`,
      ],
      noticedBy: ledger(" and p.credits_granted = t.credits", ""),
    },
    "it is somebody else's": {
      statements: [
        `update public.credit_transactions set user_id = ${user(STRANGER)}, sequence_number = 50
          where reference_id = '${PAYMENT}'`,
      ],
      noticedBy: ledger("\n      and o.user_id = coalesce(u.merged_into, u.id)", ""),
    },
    "its payment had another amount": {
      statements: [
        `update public.payments set amount_paise = amount_paise + 1
          where id = '${REPLACED_PAYMENT}'`,
      ],
      noticedBy: ledger(
        "o.amount_paise = p.amount_paise and o.currency = p.currency\n  where o",
        "o.currency = p.currency\n  where o",
      ),
    },
    "its payment had another currency": {
      statements: [`update public.payments set currency = 'USD' where id = '${PAYMENT}'`],
      noticedBy: ledger(" and o.currency = p.currency\n  where o", "\n  where o"),
    },
  },
  "every grant is in the ledger, with the balance that it left": {
    "a second payment grants without an entry": {
      statements: [
        `update public.payments
          set credits_granted = 20, balance_after_grant = 23, granted_at = created_at
          where id = '${SECOND_PAYMENT}'`,
      ],
      noticedBy: payments(
        "is distinct from grant_entry.balance_after",
        "<> grant_entry.balance_after",
      ),
    },
    "the balance is wrong": {
      statements: [
        `update public.payments set balance_after_grant = 24 where id = '${PAYMENT}'`,
      ],
      noticedBy: payments(
        "p.balance_after_grant is distinct from grant_entry.balance_after",
        "grant_entry.id is null",
      ),
    },
    "the balance is that after a later refund": {
      statements: [
        `update public.payments set balance_after_grant = 8 where id = '${PAYMENT}'`,
      ],
      noticedBy: payments(
        "other.source not in ('refund', 'dispute')",
        "other.source = 'payment'",
      ),
    },
    "the balance is that after the next purchase": {
      statements: [
        `update public.payments p set balance_after_grant = next.balance_after_grant
          from public.payments next
          where p.id = '${PURCHASES_IN_A_ROW[0]}' and next.id = '${PURCHASES_IN_A_ROW[1]}'`,
      ],
      noticedBy: payments(
        "other.source not in ('refund', 'dispute')",
        "other.source not in ('refund', 'dispute', 'payment')",
      ),
    },
    "the balance is somebody else's": {
      statements: [
        `update public.payments set balance_after_grant = 0
          where id = '${PURCHASES_IN_A_ROW[1]}'`,
        `update public.credit_transactions set balance_after = 0, sequence_number = 50
          where user_id = ${user(STRANGER)} and sequence_number = 2`,
      ],
      noticedBy: payments("settled.user_id = grant_entry.user_id\n        and ", ""),
    },
  },
  "a payment that granted credits had the money": {
    "it was not captured": {
      statements: [`update public.payments set status = 'authorized' where id = '${PAYMENT}'`],
      noticedBy: payments(" or p.status not in ('captured', 'refunded')", ""),
    },
    "it granted more than its order": {
      statements: [
        `update public.payments set credits_granted = 1000 where id = '${PAYMENT}'`,
      ],
      noticedBy: payments("p.credits_granted <> o.credits or ", ""),
    },
  },
  "one payment pays an order, and the others are flagged": {
    "the one that pays is flagged": {
      statements: [
        `update public.payments set flag = 'second_payment' where id = '${PAYMENT}'`,
      ],
      noticedBy: payments("then p.flag is not null", "then false"),
    },
    "a second payment is not": {
      statements: [`update public.payments set flag = null where id = '${SECOND_PAYMENT}'`],
      noticedBy: payments(
        "else p.flag is null and p.status in ('captured', 'refunded')",
        "else p.flag is null and p.status = 'refunded'",
      ),
    },
    "a second payment whose money went back is not": {
      statements: [
        `update public.payments set flag = null where id = '${REFUNDED_SECOND_PAYMENT}'`,
      ],
      noticedBy: payments("(o.state = 'paid' or p.net_paise > 0)", "p.net_paise > 0"),
    },
    "a refunded second payment is not": {
      statements: [
        `update public.payments set flag = null where id = '${REFUNDED_SECOND_PAYMENT}'`,
      ],
      noticedBy: payments(
        "else p.flag is null and p.status in ('captured', 'refunded')",
        "else p.flag is null and p.status = 'captured'",
      ),
    },
    "a payment of another amount is not": {
      isOfNoUser: true,
      statements: [`update public.payments set flag = null where id = '${MISMATCH}'`],
      noticedBy: payments("(o.state = 'paid' or p.net_paise > 0)", "o.state = 'paid'"),
    },
  },
  "an order is paid where money for it is here": {
    "it is not paid": {
      statements: [
        `update public.payment_orders set state = 'open', user_id = null, razorpay_payment_id = null, paid_at = null
          where id = ${orderOf(PAYMENT)}`,
      ],
      noticedBy: payments("coalesce(p.payer_net_paise, 0) = 0", "p.payer_net_paise = 0"),
    },
    "it is paid by money that went back": {
      statements: [
        `update public.payment_orders set razorpay_payment_id = '${REPLACED_PAYMENT}'
          where id = ${orderOf(REPLACED_PAYMENT)}`,
      ],
      noticedBy: payments("coalesce(p.payer_net_paise, 0) = 0", "p.payer_net_paise is null"),
    },
    "it is not paid, while a refund is pending": {
      statements: [
        `update public.payment_orders set state = 'open', user_id = null, razorpay_payment_id = null, paid_at = null
          where id = ${orderOf(PURCHASES_IN_A_ROW[0])}`,
      ],
      noticedBy: payments("filter (where r.is_money_gone)", ""),
    },
  },
  "reversals take back what went back, and no more": {
    "one takes more": {
      statements: [
        `update public.payment_reversals set credits_taken = credits_taken + 1
          where payment_id = '${PAYMENT}'`,
      ],
      noticedBy: reversals(
        "having coalesce(sum(r.credits_taken), 0) <> case",
        "having coalesce(sum(r.credits_taken), 0) < case",
      ),
    },
    "one takes what did not go back": {
      statements: [
        `update public.payment_reversals set is_money_gone = false, status = 'failed'
          where payment_id = '${PAYMENT}'`,
      ],
      noticedBy: reversals(
        "coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0)\n          )",
        "coalesce(sum(r.amount_paise), 0)\n          )",
      ),
    },
    "a payment that was replaced keeps a credit": {
      statements: [
        `update public.payment_reversals set credits_taken = credits_taken - 1
          where payment_id = '${REPLACED_PAYMENT}'`,
      ],
      noticedBy: reversals("else p.credits_granted\n", "else coalesce(sum(r.credits_taken), 0)\n"),
    },
    "a second payment is granted as well": {
      statements: [
        `select private.post_entry(${user(TWICE)}, 'credit', 20, 'payment', '${SECOND_PAYMENT}')`,
        `update public.payments
          set credits_granted = 20, balance_after_grant = 43, granted_at = created_at
          where id = '${SECOND_PAYMENT}'`,
      ],
      noticedBy: reversals(
        "left join public.payment_reversals r on r.payment_id = p.id\n  group by p.id",
        "join public.payment_reversals r on r.payment_id = p.id\n  group by p.id",
      ),
    },
  },
  "the ledger holds what a reversal took": {
    "a part of it is owed": {
      statements: [
        `update public.payment_reversals set credits_owed = 1 where payment_id = '${PAYMENT}'`,
      ],
      noticedBy: reversals(
        "r.credits_taken - r.credits_owed - r.credits_forgiven\n",
        "r.credits_taken - r.credits_forgiven\n",
      ),
    },
    "an entry is gone": {
      statements: [
        `delete from public.credit_transactions
          where user_id = ${user(BUYER)} and source = 'refund'`,
      ],
      noticedBy: reversals(
        "\n    <> coalesce(",
        "\n    <> nullif(",
      ),
    },
    "an entry is somebody else's": {
      statements: [
        `update public.credit_transactions set user_id = ${user(STRANGER)}, sequence_number = 50
          where user_id = ${user(BUYER)} and source = 'refund'`,
      ],
      noticedBy: reversals("\n      and coalesce(u.merged_into, u.id) = o.user_id", ""),
    },
    "an entry is of the other kind": {
      statements: [
        `update public.credit_transactions set source = 'dispute'
          where user_id = ${user(BUYER)} and source = 'refund'`,
      ],
      noticedBy: reversals(" and t.source = r.kind", ""),
    },
  },
  "every entry of a reversal belongs to one": {
    "its reversal is gone": {
      statements: [`delete from public.payment_reversals where payment_id = '${PAYMENT}'`],
      noticedBy: ledger("where r.id is null\n\n", "where false\n\n"),
    },
    "it is of the other kind": {
      statements: [
        `update public.credit_transactions set source = 'dispute'
          where user_id = ${user(BUYER)} and source = 'refund'`,
      ],
      noticedBy: ledger(" and r.kind = t.source", ""),
    },
  },
  "the ledger holds what an adjustment asked for": {
    "it asked for more": {
      statements: ["update public.adjustments set credits = -31 where reference_id = 'taken'"],
      noticedBy: adjustments("having a.credits + ", "having -30 + "),
    },
    "a part of it is owed": {
      statements: [
        `update public.adjustments set credits_owed = credits_owed + 1
          where reference_id = 'taken'`,
      ],
      noticedBy: adjustments(
        "+ a.credits_owed + a.credits_forgiven\n",
        "+ 15 + a.credits_forgiven\n",
      ),
    },
    "a part of it was forgiven": {
      statements: [
        `update public.adjustments set credits_forgiven = credits_forgiven - 1
          where reference_id = 'taken'`,
      ],
      noticedBy: adjustments("+ a.credits_forgiven\n", "+ 7\n"),
    },
    "an entry is gone": {
      statements: [
        "delete from public.credit_transactions where source = 'adjustment' and reference_id = 'given'",
      ],
      noticedBy: adjustments("\n    <> coalesce(", "\n    <> nullif("),
    },
  },
  "every entry of an adjustment belongs to one": {
    "its adjustment is gone": {
      statements: ["delete from public.adjustments where reference_id = 'given'"],
      noticedBy: adjustments("and a.reference_id is null", "and false"),
    },
    "its adjustment is somebody else's": {
      statements: [
        `update public.adjustments set user_id = ${user(STRANGER)} where reference_id = 'given'`,
      ],
      noticedBy: adjustments(
        " and a.user_id = coalesce(u.merged_into, u.id)\n  where",
        "\n  where",
      ),
    },
  },
  "a user has reserved what the open holds hold": {
    "more is reserved": {
      statements: [
        `update public.users set held_credits = held_credits + 1 where id = ${user(HOLDER)}`,
      ],
      noticedBy: holds("u.held_credits <> coalesce(", "u.held_credits < coalesce("),
    },
    "less is reserved": {
      statements: [
        `update public.users set held_credits = held_credits - 1 where id = ${user(HOLDER)}`,
      ],
      noticedBy: holds("u.held_credits <> coalesce(", "u.held_credits > coalesce("),
    },
    "the holds are miscounted": {
      statements: [
        `update public.users set open_holds = open_holds + 1 where id = ${user(HOLDER)}`,
      ],
      noticedBy: holds("\n    or u.open_holds <> coalesce(o.holds, 0)", ""),
    },
    "a hold expires before the next expiry": {
      statements: [
        `update public.users set next_hold_expiry_at = next_hold_expiry_at + interval '1 second'
          where id = ${user(HOLDER)}`,
      ],
      noticedBy: holds("\n    or u.next_hold_expiry_at > o.next_expiry_at", ""),
    },
  },
  "what was captured is in the ledger": {
    "its entry is gone": {
      statements: [
        `delete from public.credit_transactions where reference_id = 'captured job'`,
      ],
      noticedBy: holds(
        "left join public.credit_transactions t",
        "join public.credit_transactions t",
      ),
    },
    "its entry is somebody else's": {
      statements: [
        `update public.credit_transactions set user_id = ${user(STRANGER)}, sequence_number = 50
          where reference_id = 'captured job'`,
      ],
      noticedBy: holds("on t.user_id = h.user_id\n      -- As", "on true\n      -- As"),
    },
    "its entry has another reference": {
      statements: [
        `update public.credit_transactions set reference_id = 'another job'
          where reference_id = 'captured job'`,
      ],
      noticedBy: holds(
        "and hashtextextended(t.reference_id, 0) = hashtextextended(h.reference_id, 0)\n      and t.reference_id is not null\n      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')\n      and t.reference_id = h.reference_id\n      and t.credits",
        "and t.source not in ('system', 'payment') and t.credits",
      ),
    },
    "another amount was charged": {
      statements: [
        `update public.holds set credits = 2, captured_credits = 2
          where reference_id = 'captured job'`,
      ],
      noticedBy: holds("\n      and t.credits = h.captured_credits", ""),
    },
    "another action was charged": {
      statements: [
        `update public.holds set action_id = 'chat' where reference_id = 'captured job'`,
      ],
      noticedBy: holds("\n      and t.source = h.action_id", ""),
    },
    "it was charged at another price": {
      statements: [
        `update public.holds set price_id = 2 where reference_id = 'captured job'`,
      ],
      noticedBy: holds("\n      and t.price_id = h.price_id", ""),
    },
    "it was charged in the other unit": {
      statements: [
        `update public.holds set quantity = null where reference_id = 'captured job'`,
      ],
      noticedBy: holds("\n      and (t.quantity is null) = (h.quantity is null)", ""),
    },
  },
  "what is reserved has not been charged": {
    "it is charged as well": {
      statements: [
        `insert into public.credit_transactions
          (user_id, sequence_number, action, credits, source, reference_id, balance_after)
          values (${user(HOLDER)}, 50, 'debit', 2, 'image_generation', 'open job', 0)`,
      ],
      noticedBy: holds("select h.user_id union all select m.id", "select m.id"),
    },
    "a merged account is charged as well": {
      statements: [
        `update public.holds set user_id = '${HOME}', reference_id = 'job of the merged account'
          where reference_id = 'open job'`,
      ],
      noticedBy: holds(
        "select h.user_id union all select m.id from public.users m where m.merged_into = h.user_id",
        "select h.user_id",
      ),
    },
  },
  "a merged account reserves nothing": {
    "it has an open hold": {
      statements: [
        `update public.holds set user_id = '${EMPTY}' where reference_id = 'open job'`,
      ],
      noticedBy: holds("u.merged_into is not null", "u.merged_into = u.id"),
    },
  },
  "a user knows whether another account was merged into it": {
    "one was, and it does not know": {
      statements: [`update public.users set has_merged = false where id = '${HOME}'`],
      noticedBy: holds("u.has_merged <> (m.accounts > 0)", "u.has_merged and m.accounts = 0"),
    },
    "none was, and it says so": {
      statements: [`update public.users set has_merged = true where id = ${user(STRANGER)}`],
      noticedBy: holds("u.has_merged <> (m.accounts > 0)", "m.accounts > 0 and not u.has_merged"),
    },
  },
  "prices of an action do not overlap": {
    "a price lies within another one": {
      statements: [
        `insert into public.action_prices
          (action_id, unit, credits, done_message, valid_from, valid_until)
          values ('chat', 'token', 1, 'Done.', '2026-01-01', '2026-01-02')`,
      ],
      noticedBy: ledger(
        "tstzrange(p.valid_from, p.valid_until) && tstzrange(other.valid_from, other.valid_until)",
        "false",
      ),
    },
  },
  "a charge has a price of its action": {
    "its price does not exist": {
      statements: [
        `update public.credit_transactions set price_id = 99 where reference_id = 'captured job'`,
      ],
      noticedBy: ledger("p.action_id is distinct from c.source", "p.action_id <> c.source"),
    },
    "its price is that of another action": {
      statements: [
        `update public.credit_transactions set price_id = 2 where reference_id = 'captured job'`,
      ],
      noticedBy: ledger("p.action_id is distinct from c.source", "p.action_id is null"),
    },
    "it names a quantity and no price": {
      statements: [
        `update public.credit_transactions set price_id = null
          where reference_id = 'captured job'`,
      ],
      noticedBy: ledger("\n    or c.price_id is null and c.quantity is not null", ""),
    },
  },
  "a quantity costs what its price says": {
    "it cost more": {
      statements: [
        `update public.credit_transactions set credits = 4 where reference_id = 'long message'`,
      ],
      noticedBy: ledger("c.credits <> priced.credits", "c.credits < priced.credits"),
    },
    "it cost less": {
      statements: [
        `update public.credit_transactions set credits = 1 where reference_id = 'long message'`,
      ],
      noticedBy: ledger("c.credits <> priced.credits", "c.credits > priced.credits"),
    },
    "what had been started was not charged": {
      statements: [
        `update public.credit_transactions set credits = 2 where reference_id = 'long message'`,
      ],
      noticedBy: ledger("ceil(", "floor("),
    },
    "it cost less than the minimum": {
      statements: [
        `update public.action_prices set minimum_credits = 4 where action_id = 'voice_message'`,
      ],
      noticedBy: ledger("p.minimum_credits, ceil(", "1, ceil("),
    },
  },
  "what remains after an entry is a part of the balance": {
    "more than that remains": {
      statements: [
        `update public.credit_transactions set remaining_after = balance_after + 1
          where reference_id = 'captured job'`,
      ],
      noticedBy: ledger("not between 0 and t.balance_after", "< 0"),
    },
    "less than nothing remains": {
      statements: [
        `update public.credit_transactions set remaining_after = -1
          where reference_id = 'captured job'`,
      ],
      noticedBy: ledger("not between 0 and t.balance_after", "> t.balance_after"),
    },
  },
  "a source is a word of ours or an action with a price": {
    "nobody has priced it": {
      statements: [
        `update public.credit_transactions set source = 'unknown' where reference_id = 'old job'`,
      ],
      noticedBy: ledger("where c.source not in (", "where c.source is null and c.source in ("),
    },
  },
};

/** Passages without which books that are right would be found wrong. */
const EXCEPTIONS: Breakage["noticedBy"][] = [
  accounts("num_nonnulls(u.merged_into, u.erased_at) > 0", "u.merged_into is not null"),
  ledger("= u.is_without_welcome", "= false"),
  ledger("where u.erased_at is not null\n    and t.source", "where t.source"),
  orders("and (o.state = 'paid' or o.erased_at is null)", ""),
  payments("where o.erased_at is null", "where true"),
  payments("when p.status = 'refunded' and p.credits_granted = 0\n          and", "when false and"),
  ledger("\n      and again.sequence_number > m.last_number", ""),
  ledger("coalesce(other.merged_into, m.other_id)", "m.other_id"),
  orders("num_nonnulls(o.razorpay_order_id, o.razorpay_payment_link_id) > 0", "true"),
  payments("\n      and (o.state = 'paid' or p.net_paise > 0)", ""),
  payments("o.amount_paise = p.amount_paise and o.currency = p.currency,", "true,"),
  payments(" and o.currency = p.currency,", ","),
  reversals("least(\n            p.amount_paise::bigint,", "greatest(\n            0,"),
  holds("where h.state = 'open' and u.merged_into is not null", "where u.merged_into is not null"),
  holds("u.merged_into is null and u.has_merged", "u.has_merged"),
  ledger("where c.price_id is not null and p.action_id", "where p.action_id"),
  ledger("where c.quantity is not null and c.credits", "where c.credits"),
  holds("    where h.state = 'open'\n    group by", "    group by"),
  holds(
    "\n  where h.state = 'open'\n\n  union all\n  select 'a merged",
    "\n\n  union all\n  select 'a merged",
  ),
  holds("where h.state = 'captured' and t.user_id is null", "where t.user_id is null"),
];

const rollback = new Error("Taken back");

/** Runs `act` in a transaction with the triggers and foreign keys off, and takes it back. */
async function inBrokenBooks(act: (sql: postgres.ISql) => Promise<void>): Promise<void> {
  await superuser.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await act(sql);
    throw rollback;
  }).catch((error) => {
    if (error !== rollback) throw error;
  });
}

/** What is wrong in the whole books or a part of them, each as "invariant: subject". */
async function violations(
  sql: postgres.ISql,
  check = "public.check_invariants()",
): Promise<string[]> {
  const rows = await sql.unsafe(`select c.invariant, c.subject, c.detail from ${check} c`);
  for (const { subject, detail } of rows) ok(subject && detail);
  return rows.map(({ invariant, subject }) => `${invariant}: ${subject}`);
}

/** The parts of all users together. */
const EVERY_USER = "public.users u cross join lateral public.check_invariants(user_id => u.id)";

/** The part that has been written since a moment. */
const since = (moment: string) => `public.check_invariants('${moment}')`;

async function now(sql: postgres.ISql): Promise<string> {
  return one(await sql<{ now: string }[]>`select clock_timestamp()::text as now`).now;
}

async function replacePassage(
  sql: postgres.ISql,
  [name, passage, replacement]: Breakage["noticedBy"],
): Promise<void> {
  const { definition } = one(
    await sql<{ definition: string }[]>`
    select pg_get_functiondef(${`private.${name}`}::regproc) as definition`,
  );
  strictEqual(definition.split(passage).length, 2, `${name} has once: ${passage}`);
  await sql.unsafe(definition.replace(passage, () => replacement));
}

const CASES = Object.entries(BREAKAGES).flatMap(([invariant, breakages]) =>
  Object.entries(breakages).map(([title, breakage]) => ({ invariant, title, ...breakage }))
);

/** Breaks the books, and returns the violations of the invariant that the whole check finds. */
async function violate(
  sql: postgres.ISql,
  { invariant, statements }: typeof CASES[number],
): Promise<string[]> {
  let changed = 0;
  for (const statement of statements) changed += (await sql.unsafe(statement)).count;
  ok(changed > 0, "the statements changed nothing");
  const all = await violations(sql);
  const found = all.filter((violation) => violation.startsWith(`${invariant}: `));
  ok(found.length > 0, `found: ${all.join("; ")}`);
  return found;
}

Deno.test.each(CASES)("$invariant: it is noticed that $title", async (breakage) => {
  await inBrokenBooks(async (sql) => {
    await violate(sql, breakage);
  });
});

testOfTests.each(CASES)(
  "$invariant: one condition alone notices that $title",
  async (breakage) => {
    await inBrokenBooks(async (sql) => {
      const found = await violate(sql, breakage);
      await replacePassage(sql, breakage.noticedBy);
      const rest = new Set(await violations(sql));
      deepStrictEqual(found.filter((violation) => rest.has(violation)), []);
    });
  },
);

/**
 * What leaves the time at which it was done. A part since a moment cannot notice what does not: a row that
 * is deleted, and an old row of the ledger, the users, the identities or the references that is changed by
 * hand. The whole does, and so does the part of the user.
 */
const TRACED =
  /^(insert into|select private\.post_entry|update public\.(payment_orders|payments|payment_reversals|adjustments)\b)/;

Deno.test.each(CASES)(
  "$invariant: by part it is noticed, too, that $title",
  async (breakage) => {
    await inBrokenBooks(async (sql) => {
      // Here the triggers that note a change are on.
      for (const table of ["payment_orders", "payments", "payment_reversals", "adjustments"]) {
        await sql.unsafe(
          `alter table public.${table} enable always trigger ${table}_note_their_change`,
        );
      }
      const before = await now(sql);
      const found = await violate(sql, breakage);
      const missedBy = async (check: string) => {
        const seen = new Set(await violations(sql, check));
        return found.filter((violation) => !seen.has(violation));
      };

      deepStrictEqual(await missedBy(since(START)), []);
      deepStrictEqual(await missedBy(EVERY_USER), breakage.isOfNoUser ? found : []);
      const isTraced = breakage.statements.some((statement) => TRACED.test(statement));
      strictEqual((await missedBy(since(before))).length < found.length, isTraced);
    });
  },
);

Deno.test("a balance that was changed by hand shows in what is new when the user is charged again", async () => {
  await inBrokenBooks(async (sql) => {
    const before = await now(sql);
    await sql.unsafe(`update public.users set credits = credits + 1 where id = ${user(BUYER)}`);
    deepStrictEqual(await violations(sql, since(before)), []);
    await sql`select public.deduct_credits(${BUYER}, 1, 'another job')`;
    const { id } = one(
      await sql<{ id: string }[]>`
      select id from public.credit_transactions where reference_id = 'another job'`,
    );
    deepStrictEqual(await violations(sql, since(before)), [
      `every entry follows from the one before it: entry ${id}`,
    ]);
  });
});

Deno.test("a part is what is new or one user, and of somebody unknown there is nothing to say", async () => {
  await rejects(
    backend.sql`select public.check_invariants(clock_timestamp(), gen_random_uuid())`,
    { code: "22023" },
  );
  deepStrictEqual(
    await violations(backend.sql, "public.check_invariants(user_id => gen_random_uuid())"),
    [],
  );
});

Deno.test("the books are right before anybody breaks them", async () => {
  deepStrictEqual(await violations(backend.sql), []);
  deepStrictEqual(await violations(backend.sql, since(START)), []);
  deepStrictEqual(await violations(backend.sql, EVERY_USER), []);
});

testOfTests.each(EXCEPTIONS)(
  "books that are right are found wrong by %s without the passage %j",
  async (...passage) => {
    await inBrokenBooks(async (sql) => {
      await replacePassage(sql, passage);
      ok((await violations(sql)).length > 0);
    });
  },
);

Deno.test("every invariant that check_invariants names is broken by a test", async () => {
  const sources = await backend.sql<{ source: string }[]>`
    select prosrc as source from pg_catalog.pg_proc
    where pronamespace = 'private'::regnamespace and proname like 'check\\_%'
      and proname not in ('check_scope', 'check_changes', 'check_subjects', 'check_run')`;
  const named = sources.flatMap(({ source }) =>
    [...source.matchAll(/\bselect\s+'([^']+)',/g)].map(([, invariant]) => invariant)
  );
  deepStrictEqual(named.sort(), Object.keys(BREAKAGES).sort());

  const { check } = one(
    await backend.sql<{ check: string }[]>`
    select prosrc as check from pg_catalog.pg_proc
    where oid = 'private.check_scope'::regproc`,
  );
  strictEqual(check.match(/private\.check_/g)?.length, sources.length);
});

/** What the tables refuse, so that nothing has to look for it. */
const REFUSED: Record<string, [constraint: string, statement: string]> = {
  "an image that adds credits": [
    "the_source_says_the_action",
    `update public.credit_transactions set action = 'credit'
      where user_id = ${user(BUYER)} and source = 'image_generation'`,
  ],
  "a payment that takes credits": [
    "the_source_says_the_action",
    `update public.credit_transactions set action = 'debit' where reference_id = '${PAYMENT}'`,
  ],
  "a welcome that takes credits": [
    "the_source_says_the_action",
    `update public.credit_transactions set action = 'debit'
      where user_id = ${user(BUYER)} and source = 'system'`,
  ],
  "a second entry for a payment": [
    "one_entry_per_grant_or_merge",
    `insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after)
      values (${user(BUYER)}, 50, 'credit', 20, 'payment', '${PAYMENT}', 22)`,
  ],
  "a second charge of a reference, for whatever action": [
    "one_charge_per_reference",
    `insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after)
      values (${user(HOLDER)}, 50, 'debit', 1, 'chat', 'captured job', 0)`,
  ],
  "a capture of more than was held": [
    "a_hold_charges_no_more_than_it_reserves",
    `update public.holds set captured_credits = credits + 1 where reference_id = 'captured job'`,
  ],
  "a capture of less than nothing": [
    "a_hold_charges_no_more_than_it_reserves",
    `update public.holds set captured_credits = -1 where reference_id = 'captured job'`,
  ],
  "a reservation of more than the balance": [
    "held_credits_are_part_of_the_balance",
    `update public.users set held_credits = credits + 1 where id = ${user(HOLDER)}`,
  ],
  "holds without a next expiry": [
    "a_user_with_open_holds_says_how_many_and_until_when",
    `update public.users set next_hold_expiry_at = null where id = ${user(HOLDER)}`,
  ],
  "a refund that failed and whose money is gone": [
    "the_status_says_where_the_money_is",
    `update public.payment_reversals set status = 'failed' where payment_id = '${PAYMENT}'`,
  ],
  "a processed refund whose money is here": [
    "the_status_says_where_the_money_is",
    `update public.payment_reversals set is_money_gone = false where payment_id = '${PAYMENT}'`,
  ],
  "a lost dispute whose money is here": [
    "the_status_says_where_the_money_is",
    `update public.payment_reversals set is_money_gone = false where kind = 'dispute'`,
  ],
  "a dispute that was won and whose money is gone": [
    "the_status_says_where_the_money_is",
    `update public.payment_reversals set status = 'won' where kind = 'dispute'`,
  ],
  "a check of an order that Razorpay does not know": [
    "razorpay_is_asked_only_about_what_it_knows",
    `update public.payment_orders
      set state = 'pending', razorpay_order_id = null, opened_at = null
      where razorpay_order_id = '${UNTOUCHED}'`,
  ],
  "an order that is paid by another one's payment": [
    "a_paid_order_names_a_payment_of_its_own",
    `update public.payment_orders set razorpay_payment_id = '${MISMATCH}'
      where id = ${orderOf(PAYMENT)}`,
  ],
};

for (const [title, [constraint, statement]] of Object.entries(REFUSED)) {
  Deno.test(`the tables refuse ${title}`, async () => {
    await rejects(
      backend.sql.begin(async (sql) => {
        // The owner's triggers only: a foreign key is one of the system.
        await sql`alter table public.credit_transactions disable trigger user`;
        await sql.unsafe(statement);
      }),
      { constraint_name: constraint },
    );
  });
}
