/**
 * Books of any size, consistent in every respect, written in seconds.
 *
 * Every user has the welcome, deductions, and one purchase by a bot's reference, with a refund that
 * failed and an operator's action. Orders that nobody paid come on top, as do deliveries of webhooks and
 * expired rate counters. All of it happened within 30 days, evenly. Before that, every fourth user got
 * a link that is kept because of its reference, and that every second one of them tried to pay in vain.
 * @module
 */

import type postgres from "postgres";

/** How much of everything. */
export interface Size {
  /** As many paid orders and payments, and twice as many deliveries. */
  readonly users: number;
  /** From 2, the welcome and the purchase, to 25, with every credit spent. */
  readonly entriesPerUser: number;
  /** Orders that Razorpay knows and nobody tried to pay, spread over the second half of the users. */
  readonly unpaidOrders: number;
  readonly expiredCounters: number;
}

/** The number of the user with this index, from 0. */
export function phoneNumberOf(index: number): string {
  return `+91${9_800_000_000 + index}`;
}

/** Razorpay's ids of the purchase of the user with this index, and the package's figures. */
export function purchaseOf(
  index: number,
): { razorpayOrderId: string; razorpayPaymentId: string; amountPaise: number; credits: number } {
  const number = String(index).padStart(14, "0");
  return {
    razorpayOrderId: `order_${number}`,
    razorpayPaymentId: `pay_${number}`,
    amountPaise: 9_900,
    credits: 20,
  };
}

/**
 * Fills an empty database. A superuser's connection with `session_replication_role = replica` saves the
 * time that foreign keys take.
 */
export async function fillBooks(
  sql: postgres.ISql,
  { users, entriesPerUser, unpaidOrders, expiredCounters }: Size,
): Promise<void> {
  const { amountPaise, credits } = purchaseOf(0);
  await sql`
    create temporary table person on commit drop as
    select n, gen_random_uuid() as id, gen_random_uuid() as order_id,
      gen_random_uuid() as link_id, '+91' || 9800000000 + n as phone, lpad(n::text, 14, '0') as number,
      clock_timestamp() - (${users}::integer - n) * interval '30 days' / ${users}::integer as since
    from generate_series(0, ${users}::integer - 1) n`;
  await sql`
    insert into public.users (id, phone_number, credits, transaction_count, created_at)
    select id, phone, 5 + ${credits}::integer - ${entriesPerUser}::integer, ${entriesPerUser}, since
    from person`;
  await sql`insert into public.identities select 'phone', phone, id, since from person`;
  await sql`
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after, created_at)
    select id, place,
      case when place <= 2 then 'credit' else 'debit' end,
      case place when 1 then 3 when 2 then ${credits} else 1 end,
      case place when 1 then 'system' when 2 then 'payment' else 'image_generation' end,
      case place when 1 then 'welcome' when 2 then 'pay_' || number else 'job ' || n || ' ' || place end,
      case place when 1 then 3 else 5 + ${credits}::integer - place end,
      since + place * interval '1 second'
    from person, generate_series(1, ${entriesPerUser}::integer) place
    -- As a ledger is written: in the order of time.
    order by n, place`;
  await sql`
    insert into public.payment_orders
      (id, phone_number, package_id, package_name, credits, amount_paise, key_mode, channel, state,
        razorpay_order_id, created_at, opened_at, tried_at, next_check_at, has_reference)
    select order_id, phone, 'starter', 'Starter', ${credits}, ${amountPaise}, 'test', 'checkout', 'open',
      'order_' || number, since, since, since, since + interval '100 days', true
    from person`;
  await sql`
    insert into public.payments
      (id, order_id, status, amount_paise, currency, credits_granted, balance_after_grant, created_at,
        granted_at)
    select 'pay_' || number, order_id, 'captured', ${amountPaise}, 'INR', ${credits},
      3 + ${credits}::integer, since, since
    from person`;
  await sql`
    update public.payment_orders o
    set state = 'paid', user_id = b.id, razorpay_payment_id = p.id, paid_at = p.granted_at
    from public.payments p
    join person b on b.order_id = p.order_id
    where p.order_id = o.id`;
  await sql`
    insert into public.payment_reversals
      (id, payment_id, kind, status, amount_paise, is_money_gone, reported_at)
    select 'rfnd_' || number, 'pay_' || number, 'refund', 'failed', ${amountPaise}, false, since
    from person`;
  await sql`
    insert into public.order_references (user_id, reference_id, order_id, created_at)
    select id, 'reference ' || n, order_id, since from person`;
  await sql`
    insert into public.payment_orders
      (id, phone_number, package_id, package_name, credits, amount_paise, key_mode, channel, state,
        razorpay_order_id, created_at, opened_at, tried_at, has_reference)
    select link_id, phone, 'starter', 'Starter', ${credits}, ${amountPaise}, 'test', 'link', 'open',
      'order_link' || n, l.since, l.since, case when n % 8 = 0 then l.since end, true
    from person, lateral (select since - interval '400 days') l (since)
    where n % 4 = 0`;
  await sql`
    insert into public.payments (id, order_id, status, amount_paise, currency, created_at)
    select 'pay_vain' || n, link_id, 'failed', ${amountPaise}, 'INR', since - interval '400 days'
    from person where n % 8 = 0`;
  await sql`
    insert into public.order_references (user_id, reference_id, order_id, created_at)
    select id, 'link ' || n, link_id, since - interval '400 days'
    from person where n % 4 = 0`;
  await sql`
    insert into public.operator_actions (order_id, operator, reason, outcome)
    select order_id, 'Asha', 'The customer called', 'replayed' from person`;
  await sql`
    insert into public.payment_orders
      (phone_number, package_id, package_name, credits, amount_paise, key_mode, channel, state,
        razorpay_order_id, created_at, opened_at, next_check_at)
    select p.phone, 'starter', 'Starter', ${credits}, ${amountPaise}, 'test', 'checkout', 'open',
      'order_unpaid' || lpad(o::text, 8, '0'), clock_timestamp() - o * interval '0.1 seconds',
      clock_timestamp(), clock_timestamp() + (o - ${unpaidOrders}::integer / 2) * interval '1 second'
    from generate_series(0, ${unpaidOrders}::integer - 1) o
    join person p on p.n = ${users / 2}::integer + o % ${users / 2}::integer`;
  await sql`
    insert into public.webhook_deliveries
      (event_id, event, payload, razorpay_order_id, razorpay_payment_id, outcome, received_at,
        finished_at)
    select 'event ' || event || number, event, '{}', 'order_' || number, 'pay_' || number, 'settled',
      since, since
    from person, unnest(array['payment.authorized', 'payment.captured']) event`;
  await sql`
    insert into public.rate_counters (action, scope, subject, window_ends_at, count)
    select 'create_order', 'address', 'address ' || n, clock_timestamp() - interval '1 second', 1
    from generate_series(1, ${expiredCounters}::integer) n`;
}

/** Lets the planner know the sizes, as autovacuum does within a minute or so. */
export async function analyzeBooks(sql: postgres.ISql): Promise<void> {
  await sql`vacuum analyze`;
}
