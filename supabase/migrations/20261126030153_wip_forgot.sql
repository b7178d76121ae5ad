-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

-- A person can be erased: what names somebody is removed or replaced, and the books stay.


SET local check_function_bodies = off;

-- Users before the ledger, as a deduction locks them: the two would otherwise wait in a circle.
ALTER TABLE "public"."users"
  ADD COLUMN "erased_at" timestamp WITH time zone;

ALTER TABLE "public"."users"
  ADD COLUMN "is_without_welcome" boolean NOT NULL DEFAULT false;

ALTER TABLE "public"."users"
  ADD CONSTRAINT "an_erased_user_has_no_number_and_nothing_reserved" CHECK (((erased_at IS NULL) OR ((phone_number IS NULL) AND (open_holds = 0))));

DROP TRIGGER "credit_transactions_are_append_only" ON "public"."credit_transactions";

DROP TRIGGER "operator_actions_are_append_only" ON "public"."operator_actions";

ALTER TABLE "public"."payment_orders"
  DROP CONSTRAINT "an_order_is_for_somebody";

ALTER TABLE "public"."payments"
  DROP CONSTRAINT "flag_is_known";

ALTER TABLE "public"."settings"
  DROP CONSTRAINT "name_is_known";

DROP FUNCTION "private"."end_hold"(public.holds, text, integer, integer);

DROP FUNCTION "private"."ensure_user"(text, text);

DROP FUNCTION "private"."lock_user"(text, text);

DROP FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer);

DROP FUNCTION "public"."get_user"(text, text, text);

DROP FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean);

DROP FUNCTION "public"."reserve_credits"(text, text, text, text, integer, integer, integer);

DROP FUNCTION "public"."settle_payment"(text, text, text, integer, text, jsonb, text);

CREATE TABLE "public"."erased_identities" (
  "hash" text NOT NULL,
  CONSTRAINT "erased_identities_pkey" PRIMARY KEY (hash),
  CONSTRAINT "hash_is_a_keyed_sha256" CHECK ((hash ~ '^[0-9a-f]{64}$'::text))
);

ALTER TABLE "public"."erased_identities"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."erased_identities" FROM "anon", "authenticated", "service_role";

ALTER TABLE "public"."payment_orders"
  ADD COLUMN "erased_at" timestamp WITH time zone;



CREATE OR REPLACE FUNCTION private.check_accounts (
  user_ids uuid[]
)
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text,
    user_id   uuid,
    order_id  uuid
  )
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  AS $function$
#variable_conflict use_column
begin
  return query
  with accounts as materialized (
    select u.id, u.phone_number, u.merged_into, u.erased_at, u.credits, u.debt_credits, u.held_credits
    from public.users u
    where check_accounts.user_ids is null
    union all
    select u.id, u.phone_number, u.merged_into, u.erased_at, u.credits, u.debt_credits, u.held_credits
    from unnest(check_accounts.user_ids) c (id)
    join public.users u on u.id = c.id
  )
  select 'every identity of a user is its own, and its number is one of them', 'user ' || u.id,
    format('number %s, %s identities, merged into %s', coalesce(u.phone_number, 'none'),
      count(i.value), coalesce(u.merged_into::text, 'none')),
    u.id, null::uuid
  from accounts u
  left join public.identities i on i.user_id = u.id
  group by u.id, u.phone_number, u.merged_into, u.erased_at
  having (count(i.value) = 0) <> (num_nonnulls(u.merged_into, u.erased_at) > 0)
    or u.phone_number is not null
      and count(*) filter (where i.kind = 'phone' and i.value = u.phone_number) = 0
    or u.phone_number is null and count(*) filter (where i.kind = 'phone') > 0

  union all
  select 'a merged account is empty', 'user ' || u.id,
    format('%s credits, %s owed', u.credits, u.debt_credits),
    u.id, null
  from accounts u
  where u.merged_into is not null and (u.credits > 0 or u.debt_credits > 0)

  union all
  select 'a merged account leads to the current account in one step', 'user ' || u.id,
    format('merged into %s, which is merged into %s', u.merged_into, next.merged_into),
    u.id, null
  from accounts u
  join public.users next on next.id = u.merged_into
  where next.merged_into is not null

  union all
  select 'no order, reference, adjustment or identity belongs to a merged account', owned.subject,
    format('user %s is merged into %s', u.id, u.merged_into),
    u.id, null
  from accounts u
  join (
    select 'order ' || o.id, o.user_id from public.payment_orders o
    union all
    select 'identity ' || i.value, i.user_id from public.identities i
    union all
    select 'reference ' || r.reference_id, r.user_id from public.order_references r
    union all
    select 'adjustment ' || a.reference_id, a.user_id from public.adjustments a
  ) owned (subject, user_id) on owned.user_id = u.id
  where u.merged_into is not null

  union all
  select 'a debt is the sum of what is owed, and is paid while there are credits that are not reserved',
    'user ' || u.id,
    format('debt %s, owed %s, balance %s, reserved %s', u.debt_credits, sum(u.credits_owed),
      u.credits, u.held_credits),
    u.id, null
  from (
    select u.*, 0 as credits_owed from accounts u
    union all
    select u.*, r.credits_owed
    from accounts u
    join public.payment_orders o on o.user_id = u.id
    join public.payments p on p.order_id = o.id
    join public.payment_reversals r on r.payment_id = p.id
    where r.credits_owed > 0
    union all
    select u.*, a.credits_owed
    from accounts u
    join public.adjustments a on a.user_id = u.id
    where a.credits_owed > 0
  ) u
  group by u.id, u.debt_credits, u.credits, u.held_credits
  having u.debt_credits <> sum(u.credits_owed)
    or u.debt_credits > 0 and u.credits > u.held_credits;
end;
$function$;

CREATE OR REPLACE FUNCTION private.check_ledger (
  since     timestamp with time zone,
  before    timestamp with time zone,
  user_ids  uuid[],
  order_ids uuid[]
)
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text,
    user_id   uuid,
    order_id  uuid
  )
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  AS $function$
#variable_conflict use_column
begin
  return query
  with accounts as materialized (
    select u.id, u.credits, u.transaction_count, u.is_without_welcome
    from public.users u
    where check_ledger.user_ids is null
    union all
    select u.id, u.credits, u.transaction_count, u.is_without_welcome
    from unnest(check_ledger.user_ids) c (id)
    join public.users u on u.id = c.id
  ),
  -- Read once, by their time alone: together with another condition, the planner may read the whole index
  -- that has the other one.
  new_entries as materialized (
    select t.* from public.credit_transactions t
    where t.created_at >= check_ledger.since and t.created_at < check_ledger.before
  ),
  entries as not materialized (
    select t.* from public.credit_transactions t
    where check_ledger.since is null
      and (check_ledger.user_ids is null or t.user_id = any (check_ledger.user_ids))
    union all
    select n.* from new_entries n where check_ledger.since is not null
  ),
  -- With the entries that belong to changed payments and reversals, however old they are.
  payment_entries as not materialized (
    select t.* from entries t where t.source = 'payment'
    union all
    select t.*
    from unnest(check_ledger.order_ids) c (id)
    join public.payments p on p.order_id = c.id
    join public.credit_transactions t on t.source = 'payment' and t.reference_id = p.id
  ),
  reversal_entries as not materialized (
    select t.* from entries t where t.source in ('refund', 'dispute')
    union all
    select t.*
    from unnest(check_ledger.order_ids) c (id)
    join public.payments p on p.order_id = c.id
    join public.payment_reversals r on r.payment_id = p.id
    join public.credit_transactions t
      on t.source in ('refund', 'dispute') and t.reference_id = r.id
  ),
  -- What a user's row says about the newest entry, next to that entry and any that are newer still.
  ends as materialized (
    select u.id as user_id, u.credits, u.transaction_count, t.sequence_number, t.balance_after
    from accounts u
    left join public.credit_transactions t
      on t.user_id = u.id and t.sequence_number >= u.transaction_count
  ),
  charges as not materialized (
    select t.* from entries t
    where t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
  ),
  merges as not materialized (
    select t.id, t.user_id, t.action, t.credits, t.reference_id,
      private.other_account(t.reference_id) as other_id
    from entries t
    where t.source = 'merge'
  ),
  -- The merges into these accounts, however old they are, and the entry after which to look.
  merges_into as materialized (
    select m.user_id, private.other_account(m.reference_id) as other_id,
      greatest(
        m.sequence_number,
        (
          select older.sequence_number from public.credit_transactions older
          where older.user_id = m.user_id and older.created_at < check_ledger.since
          order by older.sequence_number desc
          limit 1
        )
      ) as last_number
    from accounts u
    join public.credit_transactions m
      on m.user_id = u.id and m.source = 'merge' and m.action = 'credit'
  )
  -- As every entry follows from the one before it, this is the sum of all entries.
  select 'the balance is that after the newest entry', 'user ' || e.user_id,
    format('balance %s, entry %s left %s', e.credits, e.transaction_count,
      coalesce(e.balance_after::text, 'nothing')),
    e.user_id, null::uuid
  from ends e
  where coalesce(e.sequence_number, e.transaction_count) = e.transaction_count
    and e.credits <> coalesce(e.balance_after, 0)

  union all
  select 'the entries are counted', 'user ' || e.user_id,
    format('count %s, newest entry %s', e.transaction_count,
      coalesce(max(e.sequence_number)::text, 'not found')),
    e.user_id, null
  from ends e
  where coalesce(e.sequence_number, 0) <> e.transaction_count
  group by e.user_id, e.transaction_count

  union all
  select 'every entry follows from the one before it', 'entry ' || t.id,
    format('number %s after %s, balance %s after %s and a %s of %s', t.sequence_number,
      coalesce(previous.sequence_number, 0), t.balance_after, coalesce(previous.balance_after, 0),
      t.action, t.credits),
    t.user_id, null
  from entries t
  left join public.credit_transactions previous
    on previous.user_id = t.user_id and previous.sequence_number = t.sequence_number - 1
  where t.balance_after <> case t.sequence_number when 1 then 0 else previous.balance_after end
      + case t.action when 'credit' then t.credits else -t.credits end
    or previous.id is null and t.sequence_number > 1

  union all
  select 'the welcome is given once, first, and to everybody', 'user ' || w.user_id, w.detail,
    w.user_id, null
  from (
    select u.id, format('entry 1 is %s', coalesce(t.source, 'missing'))
    from accounts u
    left join public.credit_transactions t on t.user_id = u.id and t.sequence_number = 1
    where (t.source is not distinct from 'system') = u.is_without_welcome
    union all
    select t.user_id, format('entry %s is another one', t.sequence_number)
    from entries t
    where t.source = 'system' and t.sequence_number > 1
  ) w (user_id, detail)

  union all
  select 'nothing of an erased user names a person', 'entry ' || t.id,
    'its reference was not replaced',
    t.user_id, null
  from entries t
  join public.users u on u.id = t.user_id
  where u.erased_at is not null
    and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
    and t.reference_id not like 'erased %'

  union all
  select 'a merge moves what it takes', 'entry ' || m.id, format('%s %s', m.action, m.reference_id),
    m.user_id, null
  from merges m
  where not exists (
    select from public.credit_transactions other
    where other.source = 'merge'
      and other.user_id = m.other_id
      and other.reference_id = case m.action
        when 'debit' then replace(left(m.reference_id, -36), 'into ', 'from ')
        else replace(left(m.reference_id, -36), 'from ', 'into ')
      end || m.user_id
      and other.credits = m.credits
  )

  union all
  select 'only a merged account gives its credits to another', 'entry ' || m.id,
    format('%s, but user %s is merged into %s', m.reference_id, u.id,
      coalesce(u.merged_into::text, 'none')),
    m.user_id, null
  from merges m
  join public.users u on u.id = m.user_id
  left join public.users other on other.id = m.other_id
  where m.action = 'debit'
    -- The other one may itself have been merged since.
    and u.merged_into is distinct from coalesce(other.merged_into, m.other_id)

  union all
  -- Two accounts may each have charged a reference before they were merged, but never after.
  select 'a reference that a merged account has charged is not charged again', 'entry ' || again.id,
    format('reference %s', again.reference_id),
    again.user_id, null
  from merges_into m
  join public.credit_transactions again
    on again.user_id = m.user_id
      and again.sequence_number > m.last_number
  join public.credit_transactions charged
    on charged.user_id = m.other_id
      -- As in the index one_charge_per_reference.
      and hashtextextended(charged.reference_id, 0) = hashtextextended(again.reference_id, 0)
      and charged.reference_id is not null
      and charged.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
  where again.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')

  union all
  select 'every payment entry belongs to a payment of a paid order', 'entry ' || t.id,
    format('reference %s', t.reference_id),
    t.user_id, null
  from payment_entries t
  join public.users u on u.id = t.user_id
  left join public.payments p on p.id = t.reference_id and p.credits_granted = t.credits
  left join public.payment_orders o
    -- The user of a paid order: others have none.
    on o.id = p.order_id
      and o.user_id = coalesce(u.merged_into, u.id)
      and o.amount_paise = p.amount_paise and o.currency = p.currency
  where o.id is null

  union all
  select 'every entry of a reversal belongs to one', 'entry ' || t.id,
    format('reference %s', t.reference_id),
    t.user_id, null
  from reversal_entries t
  left join public.payment_reversals r on r.id = t.reference_id and r.kind = t.source
  where r.id is null

  union all
  select 'a charge has a price of its action', 'entry ' || c.id,
    format('price %s of %s, charged for %s', c.price_id, coalesce(p.action_id, 'nothing'), c.source),
    c.user_id, null
  from charges c
  left join public.action_prices p on p.id = c.price_id
  -- Entries from before there were prices have none.
  where c.price_id is not null and p.action_id is distinct from c.source
    or c.price_id is null and c.quantity is not null

  union all
  select 'a quantity costs what its price says', 'entry ' || c.id,
    format('%s credits for a quantity of %s, which costs %s', c.credits, c.quantity, priced.credits),
    c.user_id, null
  from charges c
  join public.action_prices p on p.id = c.price_id
  -- Computed independently of private.price_in_credits, which decided about the credits.
  cross join lateral (
    select greatest(
      p.minimum_credits, ceil(c.quantity::numeric / p.per_quantity) * p.credits
    ) as credits
  ) priced
  where c.quantity is not null and c.credits <> priced.credits

  union all
  select 'a source is a word of ours or an action with a price', 'entry ' || c.id,
    format('source %s', c.source),
    c.user_id, null
  from charges c
  where c.source not in (select p.action_id from public.action_prices p)

  union all
  select 'what remains after an entry is a part of the balance', 'entry ' || t.id,
    format('%s of %s credits', t.remaining_after, t.balance_after),
    t.user_id, null
  from entries t
  where t.remaining_after not between 0 and t.balance_after;
end;
$function$;

CREATE OR REPLACE FUNCTION private.check_orders (
  order_ids uuid[]
)
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text,
    user_id   uuid,
    order_id  uuid
  )
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  AS $function$
#variable_conflict use_column
begin
  return query
  with orders as not materialized (
    select o.* from public.payment_orders o where check_orders.order_ids is null
    union all
    select o.*
    from unnest(check_orders.order_ids) c (id)
    join public.payment_orders o on o.id = c.id
  )
  select
    'a paid order granted its credits once, to its user',
    'order ' || o.id,
    format('promised %s to %s, granted %s to %s', o.credits, o.user_id, coalesce(t.credits, 0),
      coalesce(t.user_ids, 'nobody')),
    null::uuid, o.id
  from orders o
  cross join lateral (
    select count(*) as entries, sum(t.credits) as credits,
      string_agg(t.user_id::text, ' and ') as user_ids,
      bool_and(coalesce(u.merged_into, u.id) = o.user_id) as are_of_the_user
    from public.credit_transactions t
    join public.users u on u.id = t.user_id
    where t.source = 'payment' and t.reference_id = o.razorpay_payment_id
  ) t
  where o.state = 'paid'
    and (t.entries <> 1 or t.credits <> o.credits or not t.are_of_the_user)

  union all
  select 'a reference leads to an order of its user', 'reference ' || r.reference_id,
    format('of user %s, order %s is of user %s', r.user_id, o.id, owner.id),
    null, o.id
  from orders o
  join public.order_references r on r.order_id = o.id
  join public.users u on u.id = r.user_id
  -- An order that is not paid yet belongs to the user with its number or WhatsApp user id.
  cross join lateral (
    select coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id))
  ) owner (id)
  where coalesce(u.merged_into, u.id) is distinct from owner.id
    -- One that was closed belongs to nobody.
    and (o.state = 'paid' or o.erased_at is null)

  union all
  select 'an order knows whether somebody tried to pay it', 'order ' || o.id,
    format('tried at %s, %s payments', coalesce(o.tried_at::text, 'no time'), (
      select count(*) from public.payments p where p.order_id = o.id
    )),
    null, o.id
  from orders o
  left join public.payments p on p.order_id = o.id
  where (o.tried_at is null) <> (p.id is null)
  group by o.id, o.tried_at

  union all
  select 'Razorpay is asked about an order as long as its money may move', 'order ' || o.id,
    format('%s since %s, and no check is planned', o.state, coalesce(o.paid_at, o.created_at)),
    null, o.id
  from orders o
  where o.next_check_at is null
    and num_nonnulls(o.razorpay_order_id, o.razorpay_payment_link_id) > 0
    -- See finish_order_check.
    and coalesce(o.paid_at, o.created_at) > statement_timestamp()
      - case o.state when 'paid' then interval '180 days' else interval '6 days' end;
end;
$function$;

CREATE OR REPLACE FUNCTION private.check_payments (
  order_ids uuid[]
)
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text,
    user_id   uuid,
    order_id  uuid
  )
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  AS $function$
#variable_conflict use_column
begin
  return query
  with orders as not materialized (
    select o.id from public.payment_orders o where check_payments.order_ids is null
    union all
    select c.id from unnest(check_payments.order_ids) c (id)
  ),
  money as materialized (
    select
      p.*,
      -- The money that we hold, computed independently of private.net_paise, which decided about the
      -- credits.
      case
        -- It was reported as refunded before any refund was known that explains it.
        when p.status = 'refunded' and p.credits_granted = 0
          and p.amount_paise > coalesce(
            sum(r.amount_paise) filter (where r.kind = 'refund' and r.status <> 'pending'), 0
          ) then 0
        when p.status in ('captured', 'refunded') then
          greatest(
            p.amount_paise - coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0), 0
          )
        else 0
      end as net_paise
    from orders o
    join public.payments p on p.order_id = o.id
    left join public.payment_reversals r on r.payment_id = p.id
    group by p.id
  )
  select 'every grant is in the ledger, with the balance that it left', 'payment ' || p.id,
    format('granted %s and left %s', p.credits_granted, p.balance_after_grant),
    null::uuid, p.order_id
  from money p
  left join public.credit_transactions grant_entry
    on grant_entry.source = 'payment' and grant_entry.reference_id = p.id
  where p.credits_granted > 0
    and p.balance_after_grant is distinct from grant_entry.balance_after
    -- What was left may be counted after the debts and the reversals that were settled with the grant.
    -- An array, because the few payments that get here should each read the few entries that directly
    -- follow their grant, and never be joined with the ledger.
    and p.balance_after_grant <> all (array(
      select settled.balance_after
      from public.credit_transactions settled
      where settled.user_id = grant_entry.user_id
        and settled.sequence_number > grant_entry.sequence_number
        and settled.sequence_number < coalesce(
          (
            select other.sequence_number
            from public.credit_transactions other
            where other.user_id = grant_entry.user_id
              and other.sequence_number > grant_entry.sequence_number
              and other.source not in ('refund', 'dispute')
            order by other.sequence_number
            limit 1
          ),
          2147483647
        )
    ))

  union all
  select 'a payment that granted credits had the money', 'payment ' || p.id,
    format('granted %s while %s, order %s grants %s', p.credits_granted, p.status, o.id, o.credits),
    null, o.id
  from money p
  join public.payment_orders o on o.id = p.order_id
  where p.credits_granted > 0
    and (p.credits_granted <> o.credits or p.status not in ('captured', 'refunded'))

  union all
  select 'one payment pays an order, and the others are flagged', 'payment ' || p.id,
    format('%s while %s, order %s is paid by %s', coalesce(p.flag, 'not flagged'), p.status, o.id,
      coalesce(o.razorpay_payment_id, 'none')),
    null, o.id
  from money p
  join public.payment_orders o on o.id = p.order_id
  where case
    when p.id = o.razorpay_payment_id then p.flag is not null
    -- Money that came and went needs no flag as long as nothing is paid.
    else p.flag is null and p.status in ('captured', 'refunded')
      and (o.state = 'paid' or p.net_paise > 0)
  end

  union all
  select 'an order is paid where money for it is here', 'payment ' || p.id,
    format('%s paise held, order %s is paid by %s', p.net_paise, p.order_id,
      coalesce(p.payer_id, 'none')),
    null, p.order_id
  from (
    select p.id, p.order_id, p.net_paise, o.razorpay_payment_id,
      o.amount_paise = p.amount_paise and o.currency = p.currency,
      sum(p.net_paise) filter (where p.id = o.razorpay_payment_id) over (partition by o.id)
    from money p
    join public.payment_orders o on o.id = p.order_id
    -- Whoever was erased buys nothing any more.
    where o.erased_at is null
  ) p (id, order_id, net_paise, payer_id, is_of_the_order, payer_net_paise)
  where p.net_paise > 0 and p.is_of_the_order and coalesce(p.payer_net_paise, 0) = 0;
end;
$function$;

CREATE OR REPLACE FUNCTION private.delete_auth_users (
  phone_numbers text[]
)
  RETURNS text
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  -- Supabase Auth writes a number without its plus sign.
  v_spellings constant text[] := phone_numbers
    || array(select ltrim(p.number, '+') from unnest(phone_numbers) p (number));
  -- A log without an index: a longer one would take longer than the call may.
  v_max_log_entries constant integer := 200000;
  v_user_ids uuid[];
  v_is_log_left boolean := false;
begin
  -- The tables are Auth's own, and not every project has them: so nothing is named before it is looked for.
  if to_regclass('auth.users') is null
    or not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = 'auth.users'::regclass and a.attname = 'phone' and not a.attisdropped
    )
  then
    return 'none';
  end if;

  execute 'select array(select u.id from auth.users u where u.phone = any ($1))'
  into v_user_ids using v_spellings;
  if to_regclass('auth.audit_log_entries') is not null and cardinality(v_user_ids) > 0 then
    select c.reltuples > v_max_log_entries into v_is_log_left
    from pg_catalog.pg_class c where c.oid = 'auth.audit_log_entries'::regclass;
    if not v_is_log_left then
      execute 'delete from auth.audit_log_entries e where e.payload ->> ''actor_id'' = any ($1)'
      using v_user_ids::text[];
    end if;
  end if;
  execute 'delete from auth.users u where u.id = any ($1)' using v_user_ids;
  -- Somebody else may be about to take over the number.
  execute 'update auth.users u set phone_change = '''' where u.phone_change = any ($1)'
  using v_spellings;
  return case when v_is_log_left then 'left' when cardinality(v_user_ids) > 0 then 'deleted' else 'none' end;
exception
  -- The tables may belong to a role that lends no rights, be of another shape, or be referred to.
  when insufficient_privilege or undefined_column or undefined_function or undefined_table
    or foreign_key_violation or restrict_violation or untranslatable_character
  then
    return 'left';
end;
$function$;

CREATE OR REPLACE FUNCTION private.end_hold (
  hold              public.holds,
  state             public.hold_state,
  captured_credits  integer           DEFAULT NULL::integer,
  captured_quantity integer           DEFAULT NULL::integer
)
  RETURNS public.holds
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_hold public.holds;
  v_balance_before integer;
begin
  update public.holds h
  set state = end_hold.state,
      captured_credits = end_hold.captured_credits,
      ended_at = clock_timestamp()
  where h.user_id = (hold).user_id and h.reference_id = (hold).reference_id and h.state = (hold).state
  returning * into strict v_hold;

  select u.credits into strict v_balance_before from public.users u where u.id = v_hold.user_id;

  -- One that has expired has returned its credits already.
  if (hold).state = 'open' then
    update public.users u
    set held_credits = u.held_credits - v_hold.credits,
        open_holds = u.open_holds - 1,
        next_hold_expiry_at = (
          select min(h.expires_at) from public.holds h where h.user_id = u.id and h.state = 'open'
        )
    where u.id = v_hold.user_id;
  end if;

  if v_hold.captured_credits > 0 then
    perform private.post_entry(
      v_hold.user_id, 'debit', v_hold.captured_credits, v_hold.action_id, v_hold.reference_id,
      end_hold.captured_quantity, v_hold.price_id
    );
  end if;
  perform private.collect_debts(v_hold.user_id);

  update public.holds h
  set remaining_after_end = private.remaining_credits(u),
      balance_after_end = u.credits
  from public.users u
  where u.id = v_hold.user_id
    and h.user_id = v_hold.user_id and h.reference_id = v_hold.reference_id
  returning h.* into strict v_hold;

  if end_hold.state = 'expired' then
    perform private.tell(
      v_hold.user_id, 'hold.expired',
      jsonb_build_object('reference_id', v_hold.reference_id, 'released_credits', v_hold.credits)
    );
  end if;
  -- A capture lowers the balance, and so does a debt that what was returned pays.
  perform private.tell_of_low_balance(
    v_hold.user_id, v_balance_before, v_hold.balance_after_end
  );
  return v_hold;
end;
$function$;

CREATE OR REPLACE FUNCTION private.ensure_user (
  phone_number     text,
  whatsapp_user_id text   DEFAULT NULL::text,
  identity_hashes  text[] DEFAULT NULL::text[]
)
  RETURNS public.users
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_free_credits constant integer := 3;
  v_is_our_turn boolean := false;
  v_is_welcome boolean;
  v_user public.users;
begin
  if num_nonnulls(ensure_user.phone_number, ensure_user.whatsapp_user_id) = 0 then
    raise exception 'a user is named by a phone number or a WhatsApp user id'
      using errcode = 'invalid_parameter_value';
  end if;

  for v_attempt in 1..10 loop
    -- One statement, so that a merge cannot come between the identity and its user.
    select u.* into v_user from public.users u
    where u.id = private.find_user_id(ensure_user.phone_number, ensure_user.whatsapp_user_id);

    -- If both of two identities already have an account, merging them is up to an operator.
    if found and (
      num_nonnulls(ensure_user.phone_number, ensure_user.whatsapp_user_id) = 1
      or private.find_user_id(ensure_user.phone_number, null) is not null
        and private.find_user_id(null, ensure_user.whatsapp_user_id) is not null
    ) then
      return v_user;
    end if;

    -- First contacts that arrive together wait here for the first of them, and then find its user.
    if not v_is_our_turn then
      perform private.lock_identities(ensure_user.phone_number, ensure_user.whatsapp_user_id);
      v_is_our_turn := true;
      continue;
    end if;

    if v_user.id is null then
      v_is_welcome := private.is_welcome(ensure_user.identity_hashes);
      if v_is_welcome is null then
        return null;
      end if;
    end if;

    begin
      if v_user.id is null then
        insert into public.users (phone_number, credits, transaction_count, is_without_welcome)
        values (ensure_user.phone_number, case when v_is_welcome then v_free_credits else 0 end,
          case when v_is_welcome then 1 else 0 end, not v_is_welcome)
        returning * into v_user;
        insert into public.credit_transactions
          (user_id, sequence_number, action, credits, source, reference_id, balance_after,
            remaining_after)
        select v_user.id, 1, 'credit', v_free_credits, 'system', 'welcome', v_free_credits,
          v_free_credits
        where v_is_welcome;
      else
        select u.* into strict v_user from public.users u where u.id = v_user.id for no key update;
        if num_nonnulls(v_user.merged_into, v_user.erased_at) > 0 then
          raise exception 'the account is gone' using errcode = 'serialization_failure';
        end if;
      end if;

      -- A bot that names both tells us that they belong to one person.
      insert into public.identities (kind, value, user_id)
      select named.kind, named.value, v_user.id
      from (
        values
          ('phone', ensure_user.phone_number),
          ('whatsapp_user_id', ensure_user.whatsapp_user_id)
      ) named (kind, value)
      where named.value is not null and not exists (
        select from public.identities i where i.kind = named.kind and i.value = named.value
      );

      if v_user.phone_number is null and ensure_user.phone_number is not null then
        update public.users u set phone_number = ensure_user.phone_number
        where u.id = v_user.id
        returning * into v_user;
      end if;
      return v_user;
    exception
      -- Start over, without the lock on the account that is gone.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$function$;

CREATE OR REPLACE FUNCTION private.is_erasing()
  RETURNS boolean
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_context text;
begin
  get diagnostics v_context = pg_context;
  -- The last line is the function that was called first.
  return v_context ~ 'PL/pgSQL function public\.erase_user\([^()]*\) line \d+ at \w+$';
end;
$function$;

CREATE OR REPLACE FUNCTION private.is_welcome (
  identity_hashes text[]
)
  RETURNS boolean
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  return case
    -- Before anybody was erased, nobody has to be told apart.
    when not exists (select from public.erased_identities) then true
    when (select s.value > 0 from public.settings s where s.name = 'welcome_after_erasure') then true
    when is_welcome.identity_hashes is not null then not exists (
      select from public.erased_identities e where e.hash = any (is_welcome.identity_hashes)
    )
  end;
end;
$function$;

CREATE OR REPLACE FUNCTION private.keep_ledger()
  RETURNS TRIGGER
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_entry public.credit_transactions;
begin
  if tg_op = 'UPDATE'
    and old.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
    and new.reference_id ~ '^erased [0-9a-f-]{36}$'
  then
    v_entry := new;
    v_entry.reference_id := old.reference_id;
    if v_entry is not distinct from old
      and private.is_erasing()
      and exists (
        select from public.users u where u.id = old.user_id and u.erased_at is not null
      )
    then
      return new;
    end if;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$function$;

CREATE OR REPLACE FUNCTION private.keep_operator_actions()
  RETURNS TRIGGER
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_action public.operator_actions;
begin
  if tg_op = 'UPDATE' then
    v_action := new;
    v_action.reason := old.reason;
    v_action.reference_id := old.reference_id;
    v_action.request := old.request;
    v_action.before := old.before;
    v_action.after := old.after;
    v_action.result := old.result;
    if v_action is not distinct from old
      and new.reason = 'erased'
      and (new.reference_id is null or new.reference_id ~ '^erased [0-9a-f-]{36}$')
      and (new.request is null or new.request = '{}' or new.request is not distinct from old.request)
      and (new.before is null or new.before is not distinct from old.before)
      and (new.after is null or new.after is not distinct from old.after)
      and (new.result is null or new.result is not distinct from old.result)
      and private.is_erasing()
    then
      return new;
    end if;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$function$;

CREATE OR REPLACE FUNCTION private.lock_account (
  user_id uuid
)
  RETURNS public.users
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_user public.users;
begin
  for v_attempt in 1..10 loop
    begin
      select u.* into v_user from public.users u
      where u.id = (
        select coalesce(named.merged_into, named.id) from public.users named
        where named.id = lock_account.user_id
      )
      for no key update;
      if v_user.erased_at is not null then
        return null;
      elsif v_user.merged_into is null then
        return private.end_expired_holds(v_user);
      end if;
      raise exception 'the account was merged meanwhile' using errcode = 'serialization_failure';
    exception
      -- Start over, without the lock on the merged account.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$function$;

CREATE OR REPLACE FUNCTION private.lock_user (
  phone_number     text,
  whatsapp_user_id text,
  identity_hashes  text[] DEFAULT NULL::text[]
)
  RETURNS public.users
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_user public.users;
begin
  for v_attempt in 1..10 loop
    begin
      v_user := private.ensure_user(
        lock_user.phone_number, lock_user.whatsapp_user_id, lock_user.identity_hashes
      );
      if v_user.id is null then
        return null;
      end if;
      select u.* into strict v_user from public.users u where u.id = v_user.id for no key update;
      if num_nonnulls(v_user.merged_into, v_user.erased_at) = 0 then
        return v_user;
      end if;
      raise exception 'the account is gone' using errcode = 'serialization_failure';
    exception
      -- Start over, without the lock on the account that is gone.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$function$;

CREATE OR REPLACE FUNCTION private.pay_order (
  order_id uuid,
  user_id  uuid
)
  RETURNS boolean
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_order public.payment_orders;
  v_payment_id text;
  v_is_first_grant boolean;
begin
  select o.* into strict v_order from public.payment_orders o where o.id = pay_order.order_id;

  -- The first payment counts for as long as we hold any of its money. If an order is paid twice, one of
  -- the two is refunded, and not always the second: once all of the first payment's money has been
  -- returned, its credits are gone too, and another payment whose money we hold buys them again.
  --
  -- Whoever was erased buys nothing any more.
  if v_order.erased_at is not null
    or v_order.state = 'paid' and private.net_paise(v_order.razorpay_payment_id) > 0
  then
    v_payment_id := v_order.razorpay_payment_id;
  else
    select coalesce(
      (
        select p.id from public.payments p
        where p.order_id = v_order.id
          and p.amount_paise = v_order.amount_paise
          and p.currency = v_order.currency
          and private.net_paise(p.id) > 0
        order by p.created_at, p.id
        limit 1
      ),
      v_order.razorpay_payment_id
    ) into v_payment_id;
  end if;

  -- Captured money that buys nothing is for an operator to return.
  update public.payments p
  set flag = case
    when p.amount_paise <> v_order.amount_paise or p.currency <> v_order.currency
    then 'amount_mismatch'
    when v_payment_id is null then 'user_erased'
    else 'second_payment'
  end
  where p.order_id = v_order.id
    and p.status in ('captured', 'refunded')
    and p.flag is null
    and (p.id <> v_payment_id
      or v_order.erased_at is not null and v_payment_id is null
      or p.amount_paise <> v_order.amount_paise
      or p.currency <> v_order.currency);

  if v_payment_id is not distinct from v_order.razorpay_payment_id then
    return true;
  elsif pay_order.user_id is null then
    return false;
  end if;

  update public.payments p set flag = null where p.id = v_payment_id;
  update public.payment_orders o
  set state = 'paid',
      user_id = pay_order.user_id,
      razorpay_payment_id = v_payment_id,
      paid_at = coalesce(o.paid_at, clock_timestamp()),
      -- Watched for refunds from now on, even if it had been given up as unpaid.
      next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
  where o.id = v_order.id;

  -- A payment that paid the order earlier got its credits then, and gets them back from the reversals
  -- that failed.
  v_is_first_grant := exists (
    select from public.payments p where p.id = v_payment_id and p.credits_granted = 0
  );
  if v_is_first_grant then
    perform private.post_entry(
      pay_order.user_id, 'credit', v_order.credits, 'payment', v_payment_id
    );
    perform private.collect_debts(pay_order.user_id);
    update public.payments p
    set credits_granted = v_order.credits,
        balance_after_grant = u.credits,
        remaining_after_grant = private.remaining_credits(u),
        granted_at = clock_timestamp()
    from public.users u
    where p.id = v_payment_id and u.id = pay_order.user_id;
    perform private.tell(
      pay_order.user_id, 'credits.granted',
      jsonb_build_object(
        'source', 'payment', 'credits_added', v_order.credits, 'payment_id', v_payment_id
      ),
      v_order.id
    );
  end if;
  perform private.apply_reversals(pay_order.user_id, v_payment_id);
  if v_is_first_grant then
    -- The customer is told what is left, even if a part went back before the first report.
    update public.payments p
    set balance_after_grant = u.credits,
        remaining_after_grant = private.remaining_credits(u)
    from public.users u
    where p.id = v_payment_id and u.id = pay_order.user_id;
  end if;
  return true;
end;
$function$;

CREATE OR REPLACE FUNCTION private.replace_references (
  user_ids  uuid[],
  order_ids uuid[]
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  SET enable_nestloop TO 'off'
  AS $function$
begin
  -- The same reference of the person stays the same, so that a capture still has its hold, and a reference
  -- that two merged accounts know is still one. Random, so that nothing leads back, and no two people
  -- have one in common.
  with named as (
    select t.reference_id from public.credit_transactions t
    where t.user_id = any (user_ids)
      and t.reference_id is not null
      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
    union
    select h.reference_id from public.holds h where h.user_id = any (user_ids)
    union
    select r.reference_id from public.order_references r where r.user_id = any (user_ids)
    union
    select a.reference_id from public.adjustments a where a.user_id = any (user_ids)
  ),
  replaced as materialized (
    select n.reference_id, 'erased ' || gen_random_uuid() as replacement from named n
  ),
  in_the_ledger as (
    update public.credit_transactions t set reference_id = r.replacement
    from replaced r
    where t.user_id = any (user_ids)
      and t.reference_id = r.reference_id
      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
  ),
  in_holds as (
    update public.holds h set reference_id = r.replacement
    from replaced r
    where h.user_id = any (user_ids) and h.reference_id = r.reference_id
  ),
  in_adjustments as (
    update public.adjustments a set reference_id = r.replacement
    from replaced r
    where a.user_id = any (user_ids) and a.reference_id = r.reference_id
  )
  update public.order_references o set reference_id = r.replacement
  from replaced r
  where o.user_id = any (user_ids) and o.reference_id = r.reference_id;

  -- What was refunded, and how much, names nobody.
  update public.operator_actions a
  set reason = 'erased',
      reference_id = case when a.reference_id is not null then 'erased ' || gen_random_uuid() end,
      request = case
        when a.action = 'refund-payment' then a.request
        when a.request is not null then '{}'
      end,
      before = case when a.action = 'refund-payment' then a.before end,
      after = case when a.action = 'refund-payment' then a.after end,
      result = case when a.action = 'refund-payment' then a.result end
  where (a.order_id = any (order_ids) or a.user_id = any (user_ids)) and a.reason <> 'erased';
end;
$function$;

CREATE OR REPLACE FUNCTION private.tell (
  user_id  uuid,
  type     text,
  data     jsonb DEFAULT '{}'::jsonb,
  order_id uuid  DEFAULT NULL::uuid
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  insert into public.events
    (user_id, order_id, type, data, credits, remaining_credits, sequence_number)
  select u.id, tell.order_id, tell.type, tell.data, u.credits,
    case when u.id is not null then private.remaining_credits(u) end, u.transaction_count
  from (values (tell.user_id)) about (user_id)
  left join public.users u on u.id = about.user_id
  left join public.payment_orders o on o.id = tell.order_id
  -- There is nobody to tell it to any more.
  where u.erased_at is null and o.erased_at is null;
end;
$function$;

CREATE OR REPLACE FUNCTION public.capture_credits (
  phone_number     text    DEFAULT NULL::text,
  whatsapp_user_id text    DEFAULT NULL::text,
  reference_id     text    DEFAULT NULL::text,
  quantity         integer DEFAULT NULL::integer,
  credits          integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome           text,
    user_id           uuid,
    remaining_credits integer,
    captured_credits  integer,
    is_late           boolean,
    done_message      text,
    low_balance       boolean
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_user public.users;
  v_charge public.credit_transactions;
  v_hold public.holds;
  v_quantity integer;
  v_credits bigint;
  v_is_same boolean;
  v_balance integer;
  v_threshold integer;
begin
  if capture_credits.reference_id is null
    or num_nonnulls(capture_credits.credits, capture_credits.quantity) = 2
    or coalesce(capture_credits.credits, capture_credits.quantity, 0) < 0
  then
    raise exception 'a capture has a reference, and not less than no credits or a quantity of none'
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(capture_credits.phone_number, capture_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(capture_credits.phone_number, capture_credits.whatsapp_user_id);
  end if;

  -- One statement locks the user, ends the hold and charges it, if it is open and all of it is captured.
  -- If another transaction held the lock, PostgreSQL evaluates the conditions on the hold again on its
  -- newest version, so a hold ends once.
  with locked as materialized (
    select u.id from public.users u
    where u.phone_number = capture_credits.phone_number
      and u.next_hold_expiry_at > clock_timestamp()
    for no key update
  ),
  captured as (
    update public.holds h
    set state = 'captured',
        captured_credits = h.credits,
        ended_at = clock_timestamp()
    from locked l
    where h.user_id = l.id
      and h.reference_id = capture_credits.reference_id
      and h.state = 'open'
      and h.expires_at > clock_timestamp()
      and num_nonnulls(capture_credits.credits, capture_credits.quantity) = 0
    returning h.*
  ),
  charged as (
    update public.users u
    set credits = u.credits - c.credits,
        transaction_count = u.transaction_count + 1,
        held_credits = u.held_credits - c.credits,
        open_holds = u.open_holds - 1,
        next_hold_expiry_at = case when u.open_holds > 1 then u.next_hold_expiry_at end
    from captured c
    where u.id = c.user_id
    returning u.id, u.transaction_count, u.credits as balance,
      greatest(0, u.credits - u.held_credits - u.debt_credits) as remaining,
      c.credits, c.action_id, c.quantity, c.price_id
  ),
  entry as (
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after, quantity,
        price_id, remaining_after)
    select c.id, c.transaction_count, 'debit', c.credits, c.action_id, capture_credits.reference_id,
      c.balance, c.quantity, c.price_id, c.remaining
    from charged c
  )
  select 'captured', c.id, c.remaining, c.credits, false,
    (select p.done_message from public.action_prices p where p.id = c.price_id),
    c.balance, (select s.value from public.settings s where s.name = 'low_balance_credits')
  into outcome, user_id, remaining_credits, captured_credits, is_late, done_message,
    v_balance, v_threshold
  from charged c;

  if outcome is not null then
    low_balance := v_balance <= v_threshold;
    if low_balance and (v_balance = 0 or v_balance + captured_credits > v_threshold) then
      perform private.tell_of_low_balance(user_id, v_balance + captured_credits, v_balance);
    end if;
    return next;
    return;
  end if;

  -- Something else is asked for. With the user locked, each statement sees everything that came before.
  v_user := private.end_expired_holds(
    private.lock_user(capture_credits.phone_number, capture_credits.whatsapp_user_id)
  );
  v_charge := private.find_charge(v_user.id, capture_credits.reference_id);
  select h.* into v_hold from public.holds h
  where h.user_id = coalesce(v_charge.user_id, v_user.id)
    and h.reference_id = capture_credits.reference_id;
  user_id := v_user.id;
  is_late := v_hold.ended_at >= v_hold.expires_at;
  v_threshold := private.low_balance_credits();
  select p.done_message into done_message from public.action_prices p where p.id = v_hold.price_id;

  -- What is left out is all of the hold.
  v_quantity := capture_credits.quantity;
  v_credits := capture_credits.credits;
  if num_nonnulls(v_quantity, v_credits) = 0 then
    v_quantity := v_hold.quantity;
    v_credits := case when v_hold.quantity is null then v_hold.credits end;
  end if;

  if v_charge.user_id is not null then
    -- Captured, or charged by a deduction, whatever hold there was. The same again is a repetition.
    v_is_same := v_charge.reference_id = capture_credits.reference_id and (
      num_nonnulls(v_quantity, v_credits) = 0
      or private.is_same_request(
        v_charge.source, v_charge.quantity, v_charge.credits,
        coalesce(v_hold.action_id, v_charge.source), v_quantity, v_credits::integer
      )
    );
    outcome := case when v_is_same then 'replayed' else 'reference_reused' end;
    user_id := v_charge.user_id;
    remaining_credits := coalesce(v_charge.remaining_after, v_charge.balance_after);
    captured_credits := v_charge.credits;
    is_late := is_late and v_hold.state = 'captured';
    done_message := private.done_message(v_charge);
    low_balance := v_charge.balance_after <= v_threshold;
    return next;
    return;
  elsif v_hold.user_id is null then
    outcome := 'hold_not_found';
    return next;
    return;
  elsif v_hold.state = 'released' then
    outcome := case
      when v_hold.captured_credits = 0 and coalesce(v_quantity, v_credits) = 0 then 'replayed'
      else 'hold_released'
    end;
    remaining_credits := v_hold.remaining_after_end;
    captured_credits := 0;
    low_balance := v_hold.balance_after_end <= v_threshold;
    return next;
    return;
  elsif (v_quantity is null) <> (v_hold.quantity is null) then
    outcome := 'wrong_unit';
    return next;
    return;
  end if;

  if v_quantity > 0 then
    select private.price_in_credits(v_quantity, p.credits, p.per_quantity, p.minimum_credits)
    into v_credits
    from public.action_prices p where p.id = v_hold.price_id;
  end if;
  v_credits := coalesce(v_credits, 0);

  if v_credits > v_hold.credits then
    outcome := 'capture_exceeds_hold';
    return next;
    return;
  elsif v_hold.state = 'expired' and v_credits > 0 and v_user.frozen_at is not null then
    -- Its credits had returned to the account, so this would be a new charge.
    outcome := 'account_frozen';
    return next;
    return;
  elsif v_hold.state = 'expired'
    and v_credits > v_user.credits - v_user.held_credits - v_user.debt_credits
  then
    outcome := 'hold_expired';
    return next;
    return;
  end if;

  v_hold := private.end_hold(
    v_hold,
    (case v_credits when 0 then 'released' else 'captured' end)::public.hold_state,
    v_credits::integer,
    v_quantity
  );
  outcome := 'captured';
  remaining_credits := v_hold.remaining_after_end;
  captured_credits := v_hold.captured_credits;
  is_late := v_hold.ended_at >= v_hold.expires_at;
  low_balance := v_hold.balance_after_end <= v_threshold;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.deduct_credits (
  phone_number     text    DEFAULT NULL::text,
  credits          integer DEFAULT NULL::integer,
  reference_id     text    DEFAULT NULL::text,
  whatsapp_user_id text    DEFAULT NULL::text,
  action           text    DEFAULT NULL::text,
  quantity         integer DEFAULT NULL::integer,
  identity_hashes  text[]  DEFAULT NULL::text[]
)
  RETURNS TABLE (
    outcome           text,
    user_id           uuid,
    remaining_credits integer,
    reserved_credits  integer,
    needed_credits    bigint,
    done_message      text,
    low_balance       boolean
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_max_credits constant integer := 1000;
  v_action constant text := coalesce(deduct_credits.action, 'image_generation');
  v_quantity constant integer :=
    case when deduct_credits.credits is null then coalesce(deduct_credits.quantity, 1) end;
  v_charged_credits integer;
  v_is_charged boolean;
  v_balance integer;
  v_threshold integer;
  v_user public.users;
  v_charge public.credit_transactions;
  v_price private.price_of_a_call;
begin
  if num_nonnulls(deduct_credits.credits, deduct_credits.quantity) = 2
    or coalesce(deduct_credits.credits, v_quantity) < 1
  then
    raise exception 'a deduction is at least one credit, or a quantity of at least one'
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(deduct_credits.phone_number, deduct_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(
      deduct_credits.phone_number, deduct_credits.whatsapp_user_id, deduct_credits.identity_hashes
    );
  end if;

  -- One statement prices, decides, charges and records, for a known number with nothing unusual about it.
  -- If another transaction held the user's row, PostgreSQL evaluates the conditions on the row again on
  -- its newest version, so no stale figure is ever written back.
  with price as (
    select p.id, p.done_message,
      coalesce(
        deduct_credits.credits,
        private.price_in_credits(v_quantity, p.credits, p.per_quantity, p.minimum_credits)
      ) as credits
    from private.current_prices p
    where p.action_id = v_action
  ),
  charged as (
    update public.users u
    set credits = u.credits - p.credits::integer,
        transaction_count = u.transaction_count + 1
    from price p
    -- The number in the user's own row, which saves the look-up in identities.
    where u.phone_number = deduct_credits.phone_number
      and u.credits - u.held_credits - u.debt_credits >= p.credits
      and p.credits <= v_max_credits
      and u.frozen_at is null
      -- A hold may have expired, which returns its credits.
      and (u.next_hold_expiry_at is null or u.next_hold_expiry_at > clock_timestamp())
    returning u.id, u.transaction_count, u.credits as balance,
      u.credits - u.held_credits - u.debt_credits as remaining,
      u.held_credits > 0 or u.has_merged as may_be_taken,
      p.id as price_id, p.credits::integer, p.done_message
  ),
  entry as (
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after, quantity,
        price_id, remaining_after)
    select c.id, c.transaction_count, 'debit', c.credits, v_action, deduct_credits.reference_id,
      c.balance, v_quantity, c.price_id, c.remaining
    from charged c
    where case
      when c.may_be_taken then not private.is_reference_taken(c.id, deduct_credits.reference_id)
      else true
    end
    -- A repeated reference is a retry.
    on conflict (user_id, hashtextextended(reference_id, 0))
      where reference_id is not null
        and source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
      do nothing
    returning true as is_written
  )
  select 'deducted', c.id, c.remaining, 0, c.credits, c.done_message, c.credits, e.is_written,
    c.balance, (select s.value from public.settings s where s.name = 'low_balance_credits')
  into outcome, user_id, remaining_credits, reserved_credits, needed_credits, done_message,
    v_charged_credits, v_is_charged, v_balance, v_threshold
  from charged c
  left join entry e on true;

  if v_is_charged then
    low_balance := v_balance <= v_threshold;
    if low_balance and (v_balance = 0 or v_balance + v_charged_credits > v_threshold) then
      perform private.tell_of_low_balance(user_id, v_balance + v_charged_credits, v_balance);
    end if;
    return next;
    return;
  elsif v_charged_credits is not null then
    -- Charged without an entry: the reference is taken. Nobody else has seen the row, which is locked.
    update public.users u
    set credits = u.credits + v_charged_credits,
        transaction_count = u.transaction_count - 1
    where u.id = deduct_credits.user_id;
  end if;

  -- Something is unusual. With the user locked, each statement sees everything that came before.
  v_user := private.end_expired_holds(
    private.lock_user(
      deduct_credits.phone_number, deduct_credits.whatsapp_user_id, deduct_credits.identity_hashes
    )
  );
  if v_user.id is null then
    outcome := 'identity_hashes_needed';
    return next;
    return;
  end if;
  user_id := v_user.id;
  -- A hold that expires from here on still counts until the next call.
  remaining_credits :=
    greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits);
  reserved_credits := v_user.held_credits;

  if deduct_credits.reference_id is not null then
    v_charge := private.find_charge(v_user.id, deduct_credits.reference_id);
    if v_charge.user_id is not null then
      -- A repeated reference returns what the first call did, and charges nothing.
      outcome := case
        when v_charge.reference_id = deduct_credits.reference_id
          and private.is_same_request(
            v_charge.source, v_charge.quantity, v_charge.credits,
            v_action, v_quantity, deduct_credits.credits
          )
        then 'replayed'
        else 'reference_reused'
      end;
      user_id := v_charge.user_id;
      remaining_credits := coalesce(v_charge.remaining_after, v_charge.balance_after);
      done_message := private.done_message(v_charge);
      low_balance := v_charge.balance_after <= private.low_balance_credits();
      return next;
      return;
    elsif private.is_reference_taken(v_user.id, deduct_credits.reference_id) then
      outcome := 'reference_held';
      return next;
      return;
    end if;
  end if;

  if v_user.frozen_at is not null then
    outcome := 'account_frozen';
    return next;
    return;
  end if;

  v_price := private.find_price(v_action, v_quantity, deduct_credits.credits);
  needed_credits := v_price.credits;
  done_message := v_price.done_message;
  if v_price.price_id is null then
    outcome := 'action_not_found';
  elsif v_price.credits > v_max_credits then
    outcome := 'too_many_credits';
  elsif v_price.credits > remaining_credits then
    outcome := 'insufficient_credits';
  else
    v_balance := private.post_entry(
      v_user.id, 'debit', v_price.credits::integer, v_action, deduct_credits.reference_id, v_quantity,
      v_price.price_id
    );
    perform private.tell_of_low_balance(v_user.id, v_user.credits, v_balance);
    outcome := 'deducted';
    remaining_credits := remaining_credits - v_price.credits::integer;
    low_balance := v_balance <= private.low_balance_credits();
  end if;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer, text[]) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.delete_old_events()
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  with deleted as (
    delete from public.events e
    where e.id = any (array(
      select x.id
      from public.events x
      where x.created_at < statement_timestamp() - make_interval(
          days => (select s.value from public.settings s where s.name = 'event_retention_days')
        )
        -- One that could not be delivered stays until somebody has looked at it.
        and not exists (
          select from public.event_deliveries d
          where d.event_id = x.id and d.state in ('pending', 'dead')
        )
      order by x.created_at
      limit 1000
      for update skip locked
    ))
    returning 1
  )
  select count(*)::integer from deleted;
$function$;

REVOKE ALL ON FUNCTION "public"."delete_old_events"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.delete_old_holds()
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  with deleted as (
    delete from public.holds h
    using (
      select x.user_id, x.reference_id
      from public.holds x
      -- One that was captured is part of the history: its reference is in the ledger too.
      where x.state in ('released', 'expired')
        and x.ended_at < statement_timestamp() - make_interval(
          days => (select s.value from public.settings s where s.name = 'hold_retention_days')
        )
      order by x.ended_at
      limit 1000
      for update skip locked
    ) old
    where h.user_id = old.user_id and h.reference_id = old.reference_id
    returning 1
  )
  select count(*)::integer from deleted;
$function$;

REVOKE ALL ON FUNCTION "public"."delete_old_holds"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.delete_old_webhooks()
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  with deleted as (
    delete from public.webhook_deliveries d
    where d.id = any (array(
      select x.id
      from public.webhook_deliveries x
      -- One that failed stays until somebody has looked at it.
      where x.outcome is not null
        and x.outcome <> 'failed'
        and x.received_at < statement_timestamp() - make_interval(
          days => (select s.value from public.settings s where s.name = 'webhook_retention_days')
        )
      order by x.received_at
      limit 1000
      for update skip locked
    ))
    returning 1
  )
  select count(*)::integer from deleted;
$function$;

REVOKE ALL ON FUNCTION "public"."delete_old_webhooks"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.erase_user (
  user_id         uuid,
  operator        text,
  reason          text,
  identity_hashes jsonb DEFAULT '{}'::jsonb
)
  RETURNS TABLE (
    outcome        text,
    erased_user_id uuid,
    erased_at      timestamp with time zone,
    auth           text,
    identities     text[]
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_identity public.identities;
  v_user public.users;
  v_user_ids uuid[];
  v_order_ids uuid[];
  v_phone_numbers text[];
  v_whatsapp_user_ids text[];
begin
  if erase_user.reason !~ '\S' then
    raise exception 'an erasure has a reason' using errcode = 'invalid_parameter_value';
  end if;

  for v_attempt in 1..10 loop
    begin
      -- A person who has several accounts is erased whole, whichever of them is named.
      select u.* into v_user from public.users u
      where u.id = (
        select coalesce(named.merged_into, named.id) from public.users named
        where named.id = erase_user.user_id
      );
      if not found then
        outcome := 'user_not_found';
        return next;
        return;
      end if;
      erased_user_id := v_user.id;

      -- First contacts, orders and payments of these numbers wait, and then find nobody.
      identities := '{}';
      v_phone_numbers := '{}';
      v_whatsapp_user_ids := '{}';
      for v_identity in
        select i.* from public.identities i where i.user_id = v_user.id order by i.kind, i.value
      loop
        identities := identities || (v_identity.kind || ' ' || v_identity.value);
        if v_identity.kind = 'phone' then
          v_phone_numbers := v_phone_numbers || v_identity.value;
          perform private.lock_identities(v_identity.value);
        else
          v_whatsapp_user_ids := v_whatsapp_user_ids || v_identity.value;
          perform private.lock_identities(null, v_identity.value);
        end if;
      end loop;
      perform from public.users u
      where u.id = v_user.id or u.merged_into = v_user.id
      order by u.id
      for no key update;

      -- Whoever held the locks may have merged or erased the account, or tied another identity to it.
      select u.* into strict v_user from public.users u where u.id = v_user.id;
      v_user_ids := array(
        select u.id from public.users u where u.id = v_user.id or u.merged_into = v_user.id
      );
      if v_user.merged_into is not null
        or identities <> array(
          select i.kind || ' ' || i.value from public.identities i
          where i.user_id = v_user.id
          order by i.kind, i.value
        )
      then
        raise exception 'the account has changed meanwhile' using errcode = 'serialization_failure';
      end if;
      exit;
    exception
      -- Start over, with none of these locks.
      when serialization_failure or deadlock_detected then v_user_ids := null;
    end;
  end loop;
  if v_user_ids is null then
    raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
  end if;

  if v_user.erased_at is not null then
    outcome := 'replayed';
    erased_at := v_user.erased_at;
    select a.outcome into auth from public.operator_actions a
    where a.user_id = v_user.id and a.action = 'erase-user'
    order by a.id
    limit 1;
    return next;
    return;
  end if;

  v_order_ids := array(
    select o.id from public.payment_orders o where o.user_id = any (v_user_ids)
    union
    -- Where an order names two identities, the number decides whose it is.
    select o.id from public.payment_orders o
    where o.phone_number = any (v_phone_numbers) and o.user_id is null
      and private.find_user_id(o.phone_number, o.whatsapp_user_id) = v_user.id
    union
    select o.id from public.payment_orders o
    where o.whatsapp_user_id = any (v_whatsapp_user_ids) and o.user_id is null
      and private.find_user_id(o.phone_number, o.whatsapp_user_id) = v_user.id
  );
  perform from public.payment_orders o where o.id = any (v_order_ids) order by o.id for no key update;

  v_user := private.end_expired_holds(v_user);
  if v_user.open_holds > 0 or exists (
    select from public.payment_orders o
    join public.payments p on p.order_id = o.id
    where o.id = any (v_order_ids)
      and o.state <> 'paid'
      and p.status in ('created', 'authorized')
      -- Razorpay returns what was not captured long before it is no longer asked.
      and o.next_check_at is not null
  ) or exists (
    -- A refund that an operator has asked for, and of which nobody knows yet whether it was made.
    select from public.operator_actions a
    where a.order_id = any (v_order_ids)
      and a.outcome = 'asked'
      and not exists (select from public.operator_actions c where c.completes = a.id)
  ) then
    outcome := 'user_in_use';
    return next;
    return;
  end if;

  if (select s.value = 0 from public.settings s where s.name = 'welcome_after_erasure') then
    if not coalesce(erase_user.identity_hashes ?& identities, false) then
      outcome := 'hashes_needed';
      return next;
      return;
    end if;
    insert into public.erased_identities (hash)
    select distinct h.value from jsonb_each_text(erase_user.identity_hashes) h
    where h.key = any (identities)
    on conflict do nothing;
  end if;

  delete from public.identities i where i.user_id = any (v_user_ids);
  update public.users u set phone_number = null, erased_at = clock_timestamp()
  where u.id = any (v_user_ids);
  update public.payment_orders o
  set phone_number = null, whatsapp_user_id = null, placed_by = null, erased_at = clock_timestamp()
  where o.id = any (v_order_ids);
  -- Orders of somebody else that name this person too.
  update public.payment_orders o set whatsapp_user_id = null
  where o.whatsapp_user_id = any (v_whatsapp_user_ids) and o.phone_number is not null;
  -- Deliveries from before names and contacts were left out of them.
  update public.webhook_deliveries d set payload = '{}'
  where d.razorpay_order_id in (
      select o.razorpay_order_id from public.payment_orders o where o.id = any (v_order_ids)
    )
    or d.razorpay_payment_id in (
      select p.id from public.payments p where p.order_id = any (v_order_ids)
    );
  delete from public.events e
  where e.user_id = any (v_user_ids) or e.order_id = any (v_order_ids);
  -- What the check of the books found about the person. What is still wrong is found again.
  update public.book_violations v set subject = 'erased ' || gen_random_uuid(), detail = 'erased'
  where v.user_id = any (v_user_ids) or v.order_id = any (v_order_ids);
  perform private.replace_references(v_user_ids, v_order_ids);
  auth := private.delete_auth_users(v_phone_numbers);

  -- The record names nobody, so the reason, in which an operator may have named the person, is not kept.
  perform private.record_action(
    'erase-user', erase_user.operator, 'erased', auth, user_id => v_user.id
  );

  delete from public.rate_counters c
  where c.subject = any (v_phone_numbers || v_whatsapp_user_ids);

  outcome := 'erased';
  identities := null;
  select u.erased_at into strict erased_at from public.users u where u.id = v_user.id;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.get_user (
  phone_number     text   DEFAULT NULL::text,
  whatsapp_user_id text   DEFAULT NULL::text,
  caller_address   text   DEFAULT NULL::text,
  identity_hashes  text[] DEFAULT NULL::text[],
  link_user_id     uuid   DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome             text,
    user_id             uuid,
    credits             integer,
    created_at          timestamp with time zone,
    retry_after_seconds integer,
    remaining_credits   integer,
    reserved_credits    integer,
    low_balance         boolean,
    is_frozen           boolean
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_exceeded_scope text;
  v_user public.users;
begin
  if exists (
    select from public.users u where u.id = get_user.link_user_id and u.erased_at is not null
  ) then
    outcome := 'link_is_void';
    return next;
    return;
  end if;

  -- Anyone who can reach a page could otherwise farm free credits with made-up numbers.
  if get_user.caller_address is not null
    and private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null
  then
    -- Another first contact may be under way. Wait for it before counting anything.
    perform private.lock_identities(get_user.phone_number, get_user.whatsapp_user_id);
    if private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null
      -- Otherwise the call is repeated, and counted then.
      and private.is_welcome(get_user.identity_hashes) is not null
    then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits('create_user', get_user.caller_address) c;
      if v_exceeded_scope is not null then
        outcome := 'rate_limited';
        return next;
        return;
      end if;
    end if;
  end if;

  v_user := private.ensure_user(
    get_user.phone_number, get_user.whatsapp_user_id, get_user.identity_hashes
  );
  if v_user.id is null then
    outcome := 'identity_hashes_needed';
    return next;
    return;
  end if;
  return query select 'found', v_user.id, v_user.credits, v_user.created_at, 0,
    private.remaining_credits(v_user), private.reserved_credits(v_user),
    v_user.credits <= private.low_balance_credits(),
    v_user.frozen_at is not null;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text, text[], uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.list_attention()
  RETURNS TABLE (
    kind    text,
    subject text,
    since   timestamp with time zone,
    detail  text
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  -- Every branch reads a partial index of the few rows that may need attention, never a whole table.
  select 'flagged payment', p.id, p.created_at,
    format('%s: %s paise of order %s bought nothing; refund them', p.flag, p.amount_paise, p.order_id)
  from public.payments p
  where p.flag is not null
    and p.amount_paise > coalesce((
      select sum(r.amount_paise) from public.payment_reversals r
      where r.payment_id = p.id and r.is_money_gone
    ), 0)

  union all
  select 'debt', coalesce(u.phone_number, u.id::text), min(d.created_at),
    format('%s credits were spent before they were taken back', u.debt_credits)
  from private.debts d
  join public.users u on u.id = d.user_id
  -- Whoever was erased will never have the credits to pay it.
  where u.erased_at is null
  group by u.id

  union all
  select 'unfinished refund', a.reference_id, a.created_at,
    format('%s asked Razorpay to refund %s paise of %s, and what came of it is not known; ask again with '
      'the same reference', a.operator, a.after ->> 'amount_paise', a.payment_id)
  from public.operator_actions a
  where a.outcome = 'asked'
    and a.created_at < statement_timestamp() - interval '1 minute'
    and not exists (select from public.operator_actions c where c.completes = a.id)

  union all
  select 'open order', o.id::text, o.created_at,
    format('%s paise by %s since %s, last tried payment %s', o.amount_paise, o.channel, o.created_at, (
      select p.id || ' ' || p.status from public.payments p where p.order_id = o.id
      order by p.created_at desc limit 1
    ))
  from public.payment_orders o
  where o.state = 'open' and o.tried_at is not null and o.next_check_at is not null
    and o.erased_at is null
    and o.created_at < statement_timestamp() - interval '15 minutes'

  union all
  select 'failed delivery', d.id::text, d.received_at,
    format('%s %s: %s', d.event, d.event_id, coalesce(d.outcome, 'cut off'))
  from (
    select f.* from public.webhook_deliveries f where f.outcome = 'failed'
    union all
    select f.* from public.webhook_deliveries f
    where f.outcome is null and f.received_at < statement_timestamp() - interval '1 minute'
  ) d
  -- Superseded by a later successful delivery, unless it came without an id.
  where not exists (
    select from public.webhook_deliveries later
    where later.event_id = d.event_id and later.event_id <> '' and later.id > d.id
      and later.outcome <> 'failed'
  )

  union all
  select 'payment of no order', d.razorpay_payment_id, min(d.received_at),
    format('captured with this key''s account for Razorpay order %s, which is not ours; refund it',
      coalesce(max(d.razorpay_order_id), 'none'))
  from public.webhook_deliveries d
  where d.outcome = 'not_ours'
    and d.received_at > statement_timestamp() - interval '30 days'
    and d.event in ('payment.captured', 'order.paid', 'payment_link.paid')
    and d.razorpay_payment_id is not null
    -- Booked after all, or already being returned.
    and not exists (select from public.payments p where p.id = d.razorpay_payment_id)
    and not exists (
      select from public.webhook_deliveries refund
      where refund.razorpay_payment_id = d.razorpay_payment_id and refund.event = 'refund.processed'
    )
  group by d.razorpay_payment_id

  union all
  select 'limit reached', c.action, c.window_ends_at - make_interval(secs => l.window_seconds),
    format('%s of at most %s for everybody together, until %s', c.count, l.max_count,
      c.window_ends_at)
  from public.rate_limits l
  join public.rate_counters c on c.action = l.action and c.scope = l.scope and c.subject = 'all'
  where l.scope = 'project' and c.count >= l.max_count and c.window_ends_at > statement_timestamp()

  union all
  select 'broken invariant', v.subject, v.found_at, format('%s: %s', v.invariant, v.detail)
  from public.book_violations v
  where v.gone_at is null

  union all
  select 'books unchecked', 'books', c.complete_until, 'no run has checked what was written since'
  from (select b.complete_until from public.book_checks b order by b.id desc limit 1) c
  where c.complete_until < statement_timestamp() - interval '1 hour'

  union all
  select 'undelivered events', regexp_replace(a.url, '[?].*', ''),
    least(a.paused_at, a.failing_since, dead.since),
    concat_ws('; ',
      case when a.paused_at is not null
        then format('it answered 410 and is sent nothing more: %s wait', waiting.count) end,
      case when a.paused_at is null and a.failures > 0
        then format('the last %s attempts failed (%s): %s wait', a.failures, a.last_failure, waiting.count)
      end,
      case when dead.count > 0 then format('%s were given up after three days', dead.count) end,
      'resend-events sends them again'
    )
  from public.event_addresses a
  cross join lateral (
    select count(*) as count, min(d.finished_at) as since
    from public.event_deliveries d where d.address_id = a.id and d.state = 'dead'
  ) dead
  cross join lateral (
    select count(*) as count
    from public.event_deliveries d where d.address_id = a.id and d.state = 'pending'
  ) waiting
  where a.removed_at is null and (
    a.paused_at is not null
    or a.failing_since < statement_timestamp() - interval '15 minutes' and waiting.count > 0
    or dead.count > 0
  )

  union all
  select 'undelivered events', 'every address', min(e.created_at),
    format('%s wait to be handed out: deliver-events fails, or nobody calls it', count(*))
  from public.events e
  where e.state = 'new' and e.created_at < statement_timestamp() - interval '15 minutes'
    -- Without an address, events only wait for one.
    and exists (select from public.event_addresses a where a.removed_at is null)
  having count(*) > 0

  order by 3;
$function$;

CREATE OR REPLACE FUNCTION public.list_credit_transactions (
  user_id                uuid,
  page_size              integer,
  before_sequence_number integer DEFAULT NULL::integer,
  proven_phone_number    text    DEFAULT NULL::text
)
  RETURNS TABLE (
    outcome      text,
    total        integer,
    debt_credits integer,
    next_cursor  integer,
    transactions jsonb
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
declare
  v_total integer;
  v_debt_credits integer;
begin
  -- A caller who has proven a number may read the history of that number only. Anyone else gets the
  -- same result for a user who exists and for one who does not.
  if list_credit_transactions.proven_phone_number is not null
    and list_credit_transactions.user_id
      is distinct from private.find_user_id(list_credit_transactions.proven_phone_number, null)
  then
    return query select 'not_the_owner', 0, 0, null::integer, '[]'::jsonb;
    return;
  end if;

  select u.transaction_count, u.debt_credits into v_total, v_debt_credits from public.users u
  where u.id = list_credit_transactions.user_id and u.erased_at is null;
  if not found then
    return query select 'user_not_found', 0, 0, null::integer, '[]'::jsonb;
    return;
  end if;

  return query
  with page as (
    select t.* from public.credit_transactions t
    where t.user_id = list_credit_transactions.user_id
      and t.sequence_number < coalesce(list_credit_transactions.before_sequence_number, v_total + 1)
    order by t.sequence_number desc
    limit list_credit_transactions.page_size
  )
  select
    'listed',
    v_total,
    v_debt_credits,
    -- Numbers have no gaps, so the next page starts right below the oldest entry of this one.
    case when min(p.sequence_number) > 1 then min(p.sequence_number) end,
    coalesce(
      jsonb_agg(
        jsonb_build_object(
          'id', p.id,
          'user_id', p.user_id,
          'action', p.action,
          'credits', p.credits,
          'source', p.source,
          'reference_id', p.reference_id,
          'created_at', p.created_at,
          'balance_after', p.balance_after,
          'quantity', p.quantity
        )
        order by p.sequence_number desc
      ),
      '[]'::jsonb
    )
  from page p;
end;
$function$;

CREATE OR REPLACE FUNCTION public.merge_users (
  from_user_id uuid,
  into_user_id uuid
)
  RETURNS text
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
declare
  v_from public.users;
  v_into public.users;
  v_outcome text;
  v_again text;
begin
  if merge_users.from_user_id = merge_users.into_user_id then
    return 'same_user';
  end if;

  for v_attempt in 1..5 loop
    begin
      -- All rows are locked in one order, whichever way around an operator names them: the two, and the
      -- accounts that were merged into the first one earlier.
      perform from public.users u
      where u.id in (merge_users.from_user_id, merge_users.into_user_id)
        or u.merged_into = merge_users.from_user_id
      order by u.id
      for no key update;

      select u.* into v_from from public.users u where u.id = merge_users.from_user_id;
      select u.* into v_into from public.users u where u.id = merge_users.into_user_id;
      if v_from.id is null or v_into.id is null
        or num_nonnulls(v_from.erased_at, v_into.erased_at) > 0
      then
        return 'user_not_found';
      elsif v_from.merged_into = v_into.id then
        -- Merged before. Whatever was left behind or has arrived since is moved now.
        v_outcome := 'replayed';
      elsif num_nonnulls(v_from.merged_into, v_into.merged_into) > 0 then
        return 'merged_before';
      else
        v_outcome := 'merged';
      end if;

      perform private.end_expired_holds(v_from);
      perform private.end_expired_holds(v_into);
      perform private.release_common_holds(v_from.id, v_into.id);
      -- What is left of its holds moves to the other account, after the credits.
      update public.users u
      set held_credits = 0, open_holds = 0, next_hold_expiry_at = null
      where u.id = v_from.id
      returning * into v_from;

      if v_from.credits > 0 then
        -- A reference is used once, so each further transfer between the two has a longer one.
        select repeat('again ', count(*)::integer) into v_again
        from public.credit_transactions t
        where t.user_id = v_from.id and t.source = 'merge'
          and t.reference_id ~ ('^(again )*into ' || v_into.id || '$');
        perform private.post_entry(
          v_from.id, 'debit', v_from.credits, 'merge', v_again || 'into ' || v_into.id
        );
        perform private.post_entry(
          v_into.id, 'credit', v_from.credits, 'merge', v_again || 'from ' || v_from.id
        );
      end if;

      perform private.move_holds(v_from.id, v_into.id);

      -- Paid orders may still be refunded, so they move to the account that stays. Orders that wait for
      -- their payment belong to an identity, and move with it.
      update public.payment_orders o set user_id = v_into.id where o.user_id = v_from.id;
      update public.order_references r set user_id = v_into.id where r.user_id = v_from.id;
      update public.adjustments a set user_id = v_into.id where a.user_id = v_from.id;
      update public.users u
      set debt_credits = u.debt_credits + v_from.debt_credits,
          has_merged = true,
          -- Nobody gets rid of a freeze by a merge.
          frozen_at = least(u.frozen_at, v_from.frozen_at)
      where u.id = v_into.id;
      update public.users u set debt_credits = 0, frozen_at = null where u.id = v_from.id;
      perform private.collect_debts(v_into.id);
      if v_from.frozen_at is not null and v_into.frozen_at is null then
        perform private.tell(v_into.id, 'user.frozen');
      end if;

      -- Accounts that were merged into this one earlier follow it, so that merged_into always leads to
      -- the current account in one step.
      update public.users u set merged_into = v_into.id where u.merged_into = v_from.id;
      update public.identities i set user_id = v_into.id where i.user_id = v_from.id;
      update public.users u set merged_into = v_into.id, phone_number = null where u.id = v_from.id;
      update public.users u set phone_number = coalesce(u.phone_number, v_from.phone_number)
      where u.id = v_into.id;
      return v_outcome;
    exception
      -- A deduction that waited for the merged account holds its lock while it waits for the other one.
      when deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$function$;

CREATE OR REPLACE FUNCTION public.place_order (
  package_id       text,
  key_mode         text,
  channel          text    DEFAULT 'checkout'::text,
  reference_id     text    DEFAULT NULL::text,
  phone_number     text    DEFAULT NULL::text,
  whatsapp_user_id text    DEFAULT NULL::text,
  caller_address   text    DEFAULT NULL::text,
  is_proven        boolean DEFAULT false,
  identity_hashes  text[]  DEFAULT NULL::text[]
)
  RETURNS TABLE (
    outcome             text,
    user_id             uuid,
    order_id            uuid,
    razorpay_order_id   text,
    package_name        text,
    credits             integer,
    amount_paise        integer,
    currency            text,
    short_url           text,
    expires_at          timestamp with time zone,
    retry_after_seconds integer
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  -- Long enough for a customer who goes back and tries again, short enough for a price to change.
  v_reusable_for constant interval := '30 minutes';
  -- A link that is about to expire is of no use to someone who has yet to open it.
  v_min_remaining constant interval := '5 minutes';
  v_is_stranger constant boolean :=
    place_order.caller_address is not null and place_order.is_proven is not true;
  -- A stranger's orders are used again by callers from the same address only. Otherwise the order that
  -- a stranger is given would tell whether somebody else has ordered, or has paid since.
  v_placed_by constant text := case when v_is_stranger
    then encode(sha256(convert_to(place_order.caller_address, 'UTF8')), 'hex') end;
  v_exceeded_scope text;
  v_package public.packages;
  v_user public.users;
  v_phone_numbers text[] := array[place_order.phone_number];
  v_whatsapp_user_ids text[] := array[place_order.whatsapp_user_id];
  v_order public.payment_orders;
begin
  if place_order.channel = 'checkout' and place_order.reference_id is not null then
    raise exception 'a reference belongs to a user, and an order at the checkout has none yet'
      using errcode = 'invalid_parameter_value';
  end if;

  -- Anyone who can reach a page could otherwise fill the tables, here and at Razorpay. Nothing is
  -- looked up before this, so that a caller who is refused learns nothing about the number.
  if v_is_stranger then
    select e.scope, e.retry_after_seconds into v_exceeded_scope, retry_after_seconds
    from private.exceeded_limit('create_order', place_order.caller_address) e;
    if found then
      outcome := case v_exceeded_scope when 'project' then 'proof_required' else 'rate_limited' end;
      return next;
      return;
    end if;
  end if;

  select p.* into v_package from public.packages p
  where p.id = place_order.package_id and p.is_active;
  if not found and (
    place_order.reference_id is null
    or private.find_user_id(place_order.phone_number, place_order.whatsapp_user_id) is null
  ) then
    if v_is_stranger then
      perform private.count_against_limits(
        'create_order', place_order.caller_address, project => null
      );
    end if;
    outcome := 'package_not_found';
    return next;
    return;
  end if;

  -- The lock makes calls for one person take turns, so that two of them share one order.
  if place_order.channel = 'checkout' then
    -- Whose number it is does not matter before the order is paid, so nobody has to wait for a user.
    perform private.lock_identities(place_order.phone_number, place_order.whatsapp_user_id);
  else
    v_user := private.lock_user(
      place_order.phone_number, place_order.whatsapp_user_id, place_order.identity_hashes
    );
    if v_user.id is null then
      outcome := 'identity_hashes_needed';
      return next;
      return;
    end if;

    -- A repeated reference is a retry, whatever has become of its order or its package since. Test and
    -- live orders have nothing to do with each other: after a change of keys, a retry gets a link that
    -- works.
    select o.* into v_order
    from public.order_references r
    join public.payment_orders o on o.id = r.order_id
    where r.user_id = v_user.id
      and r.reference_id = place_order.reference_id
      and o.key_mode = place_order.key_mode
    order by r.created_at
    limit 1;
    if found then
      return query select
        case
          when v_order.package_id = place_order.package_id and v_order.channel = place_order.channel
          then 'replayed' else 'reference_reused'
        end,
        v_user.id, v_order.id, v_order.razorpay_order_id, v_order.package_name, v_order.credits,
        v_order.amount_paise, v_order.currency, v_order.short_url, v_order.expires_at, 0;
      return;
    elsif v_package.id is null then
      outcome := 'package_not_found';
      return next;
      return;
    end if;

    select
      array_agg(i.value) filter (where i.kind = 'phone'),
      array_agg(i.value) filter (where i.kind = 'whatsapp_user_id')
    into v_phone_numbers, v_whatsapp_user_ids
    from public.identities i
    where i.user_id = v_user.id;
  end if;

  -- An order that is still waiting for this payment is used again: a second click buys nothing twice.
  select o.* into v_order from public.payment_orders o
  where (o.phone_number = any(v_phone_numbers) or o.whatsapp_user_id = any(v_whatsapp_user_ids))
    -- Where an order names two identities, the number decides whose it is.
    and (v_user.id is null
      or private.find_user_id(o.phone_number, o.whatsapp_user_id) = v_user.id)
    and o.package_id = v_package.id
    and o.channel = place_order.channel
    and o.state in ('pending', 'open')
    and coalesce(o.expires_at - v_min_remaining, o.created_at + v_reusable_for) > clock_timestamp()
    and o.key_mode = place_order.key_mode
    and o.placed_by is not distinct from v_placed_by
    and o.credits = v_package.credits
    and o.amount_paise = v_package.price * 100
  order by o.created_at desc
  limit 1;

  if found then
    outcome := 'reused';
    -- Asking again creates nothing, so only the address is counted.
    if v_is_stranger then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'create_order', place_order.caller_address, project => null
      ) c;
    end if;
  else
    outcome := 'placed';
    -- The new row refers to the package. It is better to wait for it here than while holding the
    -- counters.
    perform from public.packages p where p.id = v_package.id for key share;
    if v_is_stranger then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'create_order', place_order.caller_address,
        coalesce(place_order.phone_number, place_order.whatsapp_user_id)
      ) c;
    elsif place_order.caller_address is not null then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'create_order',
        owner => coalesce(place_order.phone_number, place_order.whatsapp_user_id),
        project => null
      ) c;
    end if;
  end if;

  if v_exceeded_scope is not null then
    outcome := case v_exceeded_scope when 'project' then 'proof_required' else 'rate_limited' end;
    return next;
    return;
  end if;

  if outcome = 'placed' then
    insert into public.payment_orders (phone_number, whatsapp_user_id, package_id, package_name,
      credits, amount_paise, key_mode, channel, placed_by)
    values (place_order.phone_number, place_order.whatsapp_user_id, v_package.id, v_package.name,
      v_package.credits, v_package.price * 100, place_order.key_mode, place_order.channel,
      v_placed_by)
    returning * into v_order;
  end if;
  if place_order.reference_id is not null then
    insert into public.order_references (user_id, reference_id, order_id)
    values (v_user.id, place_order.reference_id, v_order.id);
  end if;

  return query select
    outcome,
    coalesce(
      v_user.id, private.find_user_id(place_order.phone_number, place_order.whatsapp_user_id)
    ),
    v_order.id, v_order.razorpay_order_id, v_order.package_name, v_order.credits,
    v_order.amount_paise, v_order.currency, v_order.short_url, v_order.expires_at, 0;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean, text[]) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.refresh_samples()
  RETURNS void
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
begin
  analyze public.users (phone_number);
  analyze public.identities (value);
  analyze public.payment_orders (phone_number, whatsapp_user_id, placed_by);
  analyze public.credit_transactions (reference_id);
  analyze public.holds (reference_id);
  analyze public.order_references (reference_id);
  analyze public.operator_actions;
  analyze public.book_violations;
  analyze public.adjustments (reference_id);
  analyze public.rate_counters (subject);
  -- Skipped with a warning where another role owns it.
  if to_regclass('auth.users') is not null then
    execute 'analyze auth.users';
    execute 'analyze auth.identities';
    execute 'analyze auth.audit_log_entries';
  end if;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."refresh_samples"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.reserve_credits (
  phone_number       text    DEFAULT NULL::text,
  whatsapp_user_id   text    DEFAULT NULL::text,
  reference_id       text    DEFAULT NULL::text,
  action             text    DEFAULT NULL::text,
  quantity           integer DEFAULT NULL::integer,
  credits            integer DEFAULT NULL::integer,
  expires_in_seconds integer DEFAULT NULL::integer,
  identity_hashes    text[]  DEFAULT NULL::text[]
)
  RETURNS TABLE (
    outcome           text,
    user_id           uuid,
    remaining_credits integer,
    reserved_credits  integer,
    needed_credits    bigint,
    expires_at        timestamp with time zone,
    state             text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_max_credits constant integer := 1000;
  v_action constant text := coalesce(reserve_credits.action, 'image_generation');
  v_quantity constant integer :=
    case when reserve_credits.credits is null then coalesce(reserve_credits.quantity, 1) end;
  v_expires_at constant timestamptz :=
    clock_timestamp() + make_interval(secs => coalesce(reserve_credits.expires_in_seconds, 600));
  v_reserved_credits integer;
  v_is_reserved boolean;
  v_user public.users;
  v_charge public.credit_transactions;
  v_hold public.holds;
  v_price private.price_of_a_call;
begin
  if reserve_credits.reference_id is null
    or num_nonnulls(reserve_credits.credits, reserve_credits.quantity) = 2
    or coalesce(reserve_credits.credits, v_quantity) < 1
    or reserve_credits.expires_in_seconds < 1
  then
    raise exception 'a hold has a reference, a duration, and at least one credit or a quantity of one'
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(reserve_credits.phone_number, reserve_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(
      reserve_credits.phone_number, reserve_credits.whatsapp_user_id, reserve_credits.identity_hashes
    );
  end if;

  -- One statement, as in deduct_credits. It looks into the ledger as the ledger was when the statement
  -- began, so it leaves alone a user who has got another entry since.
  with price as (
    select p.id,
      coalesce(
        reserve_credits.credits,
        private.price_in_credits(v_quantity, p.credits, p.per_quantity, p.minimum_credits)
      ) as credits
    from private.current_prices p
    where p.action_id = v_action
  ),
  reserved as (
    update public.users u
    set held_credits = u.held_credits + p.credits::integer,
        open_holds = u.open_holds + 1,
        next_hold_expiry_at = least(u.next_hold_expiry_at, v_expires_at)
    from price p, public.users seen
    where seen.phone_number = reserve_credits.phone_number
      and u.id = seen.id
      and u.transaction_count = seen.transaction_count
      and not u.has_merged
      -- Not an anti-join, for which the planner would search the index for the hash of any user.
      and (
        select t.user_id from public.credit_transactions t
        where t.user_id = seen.id
          and hashtextextended(t.reference_id, 0) = hashtextextended(reserve_credits.reference_id, 0)
          and t.reference_id is not null
          and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
      ) is null
      and u.credits - u.held_credits - u.debt_credits >= p.credits
      and p.credits <= v_max_credits
      and u.frozen_at is null
      and u.open_holds < (select s.value from public.settings s where s.name = 'max_open_holds')
      and (u.next_hold_expiry_at is null or u.next_hold_expiry_at > clock_timestamp())
    returning u.id, u.credits - u.held_credits - u.debt_credits as remaining, p.id as price_id,
      p.credits::integer
  ),
  hold as (
    insert into public.holds
      (user_id, reference_id, action_id, quantity, price_id, credits, expires_at, remaining_after)
    select r.id, reserve_credits.reference_id, v_action, v_quantity, r.price_id, r.credits,
      v_expires_at, r.remaining
    from reserved r
    on conflict (user_id, reference_id) do nothing
    returning true as is_written
  )
  select 'reserved', r.id, r.remaining, r.credits, v_expires_at, 'open', r.credits, h.is_written
  into outcome, user_id, remaining_credits, reserved_credits, expires_at, state, v_reserved_credits,
    v_is_reserved
  from reserved r
  left join hold h on true;

  if v_is_reserved then
    return next;
    return;
  elsif v_reserved_credits is not null then
    -- Reserved without a hold: the reference has one, perhaps one that has ended. The next expiry may stay
    -- too early, but must be null without open holds.
    update public.users u
    set held_credits = u.held_credits - v_reserved_credits,
        open_holds = u.open_holds - 1,
        next_hold_expiry_at = case when u.open_holds > 1 then u.next_hold_expiry_at end
    where u.id = reserve_credits.user_id;
  end if;

  -- Something is unusual. With the user locked, each statement sees everything that came before.
  v_user := private.end_expired_holds(
    private.lock_user(
      reserve_credits.phone_number, reserve_credits.whatsapp_user_id, reserve_credits.identity_hashes
    )
  );
  if v_user.id is null then
    outcome := 'identity_hashes_needed';
    return next;
    return;
  end if;
  user_id := v_user.id;
  -- A hold that expires from here on still counts until the next call.
  remaining_credits :=
    greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits);
  reserved_credits := v_user.held_credits;
  expires_at := null;
  state := null;

  -- A repeated reference returns what the first call did, and reserves nothing.
  v_charge := private.find_charge(v_user.id, reserve_credits.reference_id);
  select h.* into v_hold from public.holds h
  where h.user_id = coalesce(v_charge.user_id, v_user.id)
    and h.reference_id = reserve_credits.reference_id
    and h.state = (case when v_charge.user_id is null then 'open' else 'captured' end)::public.hold_state;
  if v_hold.user_id is not null
    and private.is_same_request(
      v_hold.action_id, v_hold.quantity, v_hold.credits,
      v_action, v_quantity, reserve_credits.credits
    )
  then
    outcome := 'replayed';
    user_id := v_hold.user_id;
    remaining_credits := v_hold.remaining_after;
    reserved_credits := v_hold.credits;
    expires_at := v_hold.expires_at;
    state := v_hold.state;
    return next;
    return;
  elsif num_nonnulls(v_charge.user_id, v_hold.user_id) > 0 then
    outcome := 'reference_reused';
    return next;
    return;
  end if;

  if v_user.frozen_at is not null then
    outcome := 'account_frozen';
    return next;
    return;
  end if;

  v_price := private.find_price(v_action, v_quantity, reserve_credits.credits);
  needed_credits := v_price.credits;
  if v_price.price_id is null then
    outcome := 'action_not_found';
  elsif v_price.credits > v_max_credits then
    outcome := 'too_many_credits';
  elsif v_user.open_holds >= (select s.value from public.settings s where s.name = 'max_open_holds') then
    outcome := 'too_many_holds';
  elsif v_price.credits > remaining_credits then
    outcome := 'insufficient_credits';
  else
    outcome := 'reserved';
    remaining_credits := remaining_credits - v_price.credits::integer;
    reserved_credits := v_price.credits;
    expires_at := v_expires_at;
    state := 'open';
    update public.users u
    set held_credits = u.held_credits + v_price.credits::integer,
        open_holds = u.open_holds + 1,
        next_hold_expiry_at = least(u.next_hold_expiry_at, v_expires_at)
    where u.id = v_user.id;
    -- A hold that was released or has expired makes room for the new one.
    delete from public.holds h
    where h.user_id = v_user.id and h.reference_id = reserve_credits.reference_id;
    insert into public.holds
      (user_id, reference_id, action_id, quantity, price_id, credits, expires_at, remaining_after)
    values (v_user.id, reserve_credits.reference_id, v_action, v_quantity, v_price.price_id,
      v_price.credits, v_expires_at, remaining_credits);
  end if;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."reserve_credits"(text, text, text, text, integer, integer, integer, text[]) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.settle_payment (
  razorpay_order_id   text,
  razorpay_payment_id text,
  payment_status      text,
  amount_paise        integer,
  currency            text,
  reversals           jsonb   DEFAULT '[]'::jsonb,
  receipt             text    DEFAULT NULL::text,
  identity_hashes     text[]  DEFAULT NULL::text[]
)
  RETURNS TABLE (
    outcome           text,
    credits_added     integer,
    remaining_credits integer,
    phone_number      text,
    whatsapp_user_id  text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  -- A failed payment may still be authorized or captured: the bank responds late, or the customer
  -- tries again within the same payment (Razorpay docs, webhooks/payments.md).
  v_steps constant text[] := array['created', 'failed', 'authorized', 'captured', 'refunded'];
  v_is_settled boolean := false;
  v_is_user_needed boolean := false;
  v_user_id uuid;
  v_user public.users;
  v_order public.payment_orders;
  v_payment public.payments;
  v_reversal jsonb;
  v_was_granted boolean;
  v_former_status text;
begin
  for v_attempt in 1..10 loop
    begin
      select o.* into v_order from public.payment_orders o
      where o.razorpay_order_id = settle_payment.razorpay_order_id;

      -- A payment may arrive before its Razorpay order is known: the response to create-order was cut
      -- off, or a payment link got its order when the customer started to pay. The receipt, which is our
      -- order's id without hyphens, then tells which order it is.
      if not found and settle_payment.receipt ~ '^[0-9a-f]{32}$' then
        select o.* into v_order from public.payment_orders o
        where o.id = settle_payment.receipt::uuid;
      end if;

      -- The user comes before the order. A new user is created only once it is clear that there is
      -- money.
      v_user_id := coalesce(
        v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
      );
      if v_user_id is null and v_is_user_needed then
        v_user_id := (
          private.ensure_user(
            v_order.phone_number, v_order.whatsapp_user_id, settle_payment.identity_hashes
          )
        ).id;
        if v_user_id is null then
          outcome := 'identity_hashes_needed';
          phone_number := v_order.phone_number;
          whatsapp_user_id := v_order.whatsapp_user_id;
          return next;
          return;
        end if;
      end if;
      select u.* into v_user from public.users u where u.id = v_user_id for no key update;
      select o.* into v_order from public.payment_orders o where o.id = v_order.id
      for no key update;

      -- The call that held the locks may have merged or erased the account, created one for the number,
      -- or paid the order.
      if v_user.merged_into is not null
        or v_user_id is distinct from coalesce(
          v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
        )
      then
        raise exception 'the order has meanwhile gone to another user'
          using errcode = 'serialization_failure';
      end if;

      perform private.end_expired_holds(v_user);

      if v_order.state = 'pending' then
        update public.payment_orders o
        set razorpay_order_id = settle_payment.razorpay_order_id,
            state = 'open',
            opened_at = clock_timestamp(),
            next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
        where o.id = v_order.id
        returning * into v_order;
      end if;

      if v_order.id is null or v_order.razorpay_order_id <> settle_payment.razorpay_order_id then
        outcome := 'not_ours';
        return next;
        return;
      end if;

      select p.status into v_former_status from public.payments p
      where p.id = settle_payment.razorpay_payment_id;
      insert into public.payments as p (id, order_id, status, amount_paise, currency)
      values (settle_payment.razorpay_payment_id, v_order.id, settle_payment.payment_status,
        settle_payment.amount_paise, settle_payment.currency)
      on conflict (id) do update
      -- Reports arrive in any order; a payment only moves forward.
      set status = v_steps[greatest(
        array_position(v_steps, p.status), array_position(v_steps, excluded.status)
      )]
      where p.order_id = excluded.order_id
      returning * into v_payment;

      if v_payment.id is null then
        raise exception 'payment % belongs to another order', settle_payment.razorpay_payment_id
          using errcode = 'integrity_constraint_violation';
      end if;

      update public.payment_orders o set tried_at = clock_timestamp()
      where o.id = v_order.id and o.tried_at is null;

      for v_reversal in select * from jsonb_array_elements(settle_payment.reversals) loop
        perform private.record_reversal(v_payment.id, v_reversal);
      end loop;
      -- The payment that has paid the order comes first: what it lost is taken back before another
      -- payment may take over and add its credits.
      perform private.apply_reversals(v_order.user_id, v_order.razorpay_payment_id);
      if not private.pay_order(v_order.id, v_user_id) then
        v_is_user_needed := true;
        raise exception 'the first purchase of this number needs a user'
          using errcode = 'serialization_failure';
      end if;
      v_is_settled := true;
      exit;
    exception
      -- Start over, with none of these locks and nothing written.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  if not v_is_settled then
    raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
  end if;

  v_was_granted := v_payment.credits_granted > 0;
  select o.* into strict v_order from public.payment_orders o where o.id = v_order.id;
  select p.* into strict v_payment from public.payments p where p.id = v_payment.id;

  -- Who has paid meanwhile need not hear of an attempt that failed before.
  if v_payment.status = 'failed' and v_former_status is distinct from 'failed'
    and v_order.state <> 'paid'
  then
    perform private.tell(
      v_user_id, 'payment.failed', jsonb_build_object('payment_id', v_payment.id), v_order.id
    );
  end if;

  if v_payment.status in ('captured', 'refunded') and private.net_paise(v_payment.id) = 0 then
    -- Money that came and went buys nothing.
    outcome := 'payment_refunded';
  elsif v_order.amount_paise <> v_payment.amount_paise or v_order.currency <> v_payment.currency then
    outcome := 'amount_mismatch';
  elsif v_payment.status not in ('captured', 'refunded') then
    outcome := 'not_captured';
  elsif v_order.state <> 'paid' then
    outcome := 'user_erased';
  elsif v_order.razorpay_payment_id <> v_payment.id then
    outcome := 'paid_by_another_payment';
  else
    -- A repeated report returns the same figures as the first one.
    outcome := case when v_was_granted then 'replayed' else 'settled' end;
    credits_added := v_payment.credits_granted;
    remaining_credits := coalesce(v_payment.remaining_after_grant, v_payment.balance_after_grant);
  end if;

  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."settle_payment"(text, text, text, integer, text, jsonb, text, text[]) FROM PUBLIC, "anon", "authenticated";

ALTER TABLE "public"."payment_orders"
  ADD CONSTRAINT "an_order_is_for_somebody" CHECK (
CASE
    WHEN (erased_at IS NULL) THEN (num_nonnulls(phone_number, whatsapp_user_id) > 0)
    ELSE (num_nonnulls(phone_number, whatsapp_user_id, placed_by) = 0)
END);

ALTER TABLE "public"."payments"
  ADD CONSTRAINT "flag_is_known" CHECK ((flag = ANY (ARRAY['amount_mismatch'::text, 'second_payment'::text, 'user_erased'::text])));

ALTER TABLE "public"."settings"
  ADD CONSTRAINT "name_is_known"
    CHECK
    ((name = ANY (ARRAY['low_balance_credits'::text, 'max_open_holds'::text, 'welcome_after_erasure'::text, 'webhook_retention_days'::text, 'hold_retention_days'::text,
    'event_retention_days'::text])));


CREATE INDEX holds_to_forget ON public.holds USING btree (ended_at)
  WHERE (state = ANY (ARRAY['released'::public.hold_state, 'expired'::public.hold_state]));

CREATE INDEX webhook_deliveries_to_forget ON public.webhook_deliveries USING btree (received_at)
  WHERE ((outcome IS NOT NULL) AND (outcome <> 'failed'::text));

CREATE TRIGGER credit_transactions_are_append_only
  BEFORE DELETE OR UPDATE ON public.credit_transactions
  FOR EACH ROW
  EXECUTE FUNCTION private.keep_ledger();

CREATE TRIGGER operator_actions_are_append_only
  BEFORE DELETE OR UPDATE ON public.operator_actions
  FOR EACH ROW
  EXECUTE FUNCTION private.keep_operator_actions();

COMMENT ON COLUMN "public"."erased_identities"."hash" IS 'HMAC-SHA256 of a phone number or WhatsApp user id, keyed with a secret that only the functions know. The database alone cannot tell whose it is, not even by trying all numbers.';

COMMENT ON COLUMN "public"."payment_orders"."erased_at" IS 'When whoever it was for was erased. If it was not paid by then, it is closed: a payment buys nothing, and is flagged.';

COMMENT ON COLUMN "public"."payments"."flag" IS 'Marks a captured payment that buys nothing: amount_mismatch, second_payment on an order that another payment pays, or user_erased on an order of somebody who was erased before it was paid. An operator refunds what is left of it.';

COMMENT ON COLUMN "public"."settings"."value" IS 'low_balance_credits: the balance at which a user is running out. max_open_holds: how many holds of one user may be open at the same time. welcome_after_erasure: whether somebody who was erased and comes back gets the free credits again, 0 for no. webhook_retention_days, hold_retention_days, event_retention_days: after how many days deliveries of Razorpay''s webhook, holds that ended without a charge, and events are deleted.';

COMMENT ON COLUMN "public"."users"."erased_at" IS 'When the person was erased: nothing says any more whose account this was, and nobody reaches it.';

COMMENT ON COLUMN "public"."users"."is_without_welcome" IS 'Whether somebody who had been erased before came back, and did not get the free credits again.';

COMMENT ON COLUMN "public"."webhook_deliveries"."payload" IS 'The body as it was received, but with nothing in it that names a person: see functions-shared/payments/blanked-payload.ts. Not jsonb, and not to be taken apart in SQL: JSON may contain \u0000, which PostgreSQL''s text cannot.';

COMMENT ON FUNCTION "private"."delete_auth_users"(text[]) IS 'none: there is nobody to delete. deleted: with their sessions, and what Auth has logged about them. left: an operator has to do some or all of it, because this role may not or it would take too long.';

COMMENT ON FUNCTION "private"."ensure_user"(text, text, text[]) IS 'The user of a phone number (E.164), a WhatsApp user id, or both. A new user gets 3 free credits and one system entry, unless identity_hashes says that the person was erased before; an existing one is only read. Null if that has to be known and identity_hashes is null: see private.is_welcome.';

COMMENT ON FUNCTION "private"."is_erasing"() IS 'True within public.erase_user, if that was called by itself and not from within anything else.';

COMMENT ON FUNCTION "private"."is_welcome"(text[]) IS 'identity_hashes: the keyed hashes of all identities that name the person. Null if they are needed and not given: the functions have the key, and call again.';

COMMENT ON FUNCTION "private"."keep_ledger"() IS 'Trigger of the ledger. As private.refuse_change, but for what private.replace_references does.';

COMMENT ON FUNCTION "private"."keep_operator_actions"() IS 'Trigger of operator_actions. As private.refuse_change, but for what private.replace_references does.';

COMMENT ON FUNCTION "private"."lock_account"(uuid) IS 'Null if there is no such user, or if the person was erased. None of its holds has expired.';

COMMENT ON FUNCTION "private"."lock_user"(text, text, text[]) IS 'As private.ensure_user. The account is not merged into another one or erased, and cannot be before the transaction ends.';

COMMENT ON FUNCTION "private"."pay_order"(uuid, uuid) IS 'Idempotent. Grants nothing if we hold no money of any payment of the order, or if whoever it was for was erased. user_id is the order''s user, locked. Returns false if user_id is null although a payment is about to be granted.';

COMMENT ON FUNCTION "private"."replace_references"(uuid[], uuid[]) IS 'Part of erase_user, which marks the users as erased first. References of Razorpay''s and those of merges stay: later refunds are found by them, and they name nobody.';

COMMENT ON FUNCTION "private"."tell"(uuid, text, jsonb, uuid) IS 'To be called after everything has changed that the event tells of. The user, who is locked, may be null if there is an order: it tells whom the event is about. Nothing is told about somebody who was erased.';

COMMENT ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer, text[]) IS 'One row. Either credits or a quantity of the action''s unit; neither is a quantity of 1. outcome: deducted; replayed (the reference was charged before: remaining_credits is what the first call returned); reference_reused (charged before for another request); reference_held (reserved and not captured); account_frozen; action_not_found (unknown, retired, or not priced yet); too_many_credits (more than one call may spend); insufficient_credits (needed_credits exceed remaining_credits, which are besides reserved_credits); identity_hashes_needed (see private.is_welcome). low_balance, after a charge: whether the balance was at the threshold or below. Only deducted changes anything.';

COMMENT ON FUNCTION "public"."delete_old_events"() IS 'Housekeeping, see the setting event_retention_days. Returns how many it deleted: at most 1,000, with their deliveries.';

COMMENT ON FUNCTION "public"."delete_old_holds"() IS 'Housekeeping, see the setting hold_retention_days. Returns how many it deleted: at most 1,000. A retry that comes later still finds no hold.';

COMMENT ON FUNCTION "public"."delete_old_webhooks"() IS 'Housekeeping, see the setting webhook_retention_days. Returns how many it deleted: at most 1,000.';

COMMENT ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb) IS 'One row. outcome: erased; replayed (erased before); user_not_found; user_in_use (a hold is open, or a payment was tried and neither failed nor succeeded, or a refund was asked for and is not known to have been made); hashes_needed (nothing was changed: call again with identity_hashes, an object with the keyed hash of each of identities). auth: see private.delete_auth_users. An account that was merged stands for the one that it was merged into.';

COMMENT ON FUNCTION "public"."get_user"(text, text, text, text[], uuid) IS 'The user of a phone number (E.164) or a WhatsApp user id, created on first contact. One row. link_user_id: the user that the caller''s link was made for. outcome: found; link_is_void (that user was erased); rate_limited (too many unknown numbers from caller_address or in total; nothing was created); identity_hashes_needed (see private.is_welcome; nothing was created or counted).';

COMMENT ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text) IS 'One row. outcome: listed; user_not_found (or erased); not_the_owner (if proven_phone_number is given and belongs to another user). total counts all entries of the user; next_cursor is null on the last page.';

COMMENT ON FUNCTION "public"."merge_users"(uuid, uuid) IS 'merged: the identities, the balance and the open holds have moved, the old history stays under the old id. replayed: they had moved before, and whatever was left behind has moved now. same_user, user_not_found (or erased), merged_before (one of them is no longer an account): nothing changed.';

COMMENT ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean, text[]) IS 'One row. outcome: placed; reused (the same purchase is still waiting for its payment); replayed (this reference placed this order before, with keys of this mode); reference_reused (this reference placed another order); package_not_found; rate_limited (too many orders from caller_address or for this number; nothing was placed); proof_required (callers without a proof have placed too many in total; those who prove the number are not counted among them); identity_hashes_needed (see private.is_welcome). is_proven: the caller has proven the number, and is counted as its owner only; without caller_address nothing is counted. A link creates its user, an order at the checkout does not: user_id is null while nobody has the number. razorpay_order_id is null until attach_razorpay_order has stored it, and short_url until attach_payment_link has.';

COMMENT ON FUNCTION "public"."refresh_samples"() IS 'After an erasure, in a transaction of its own: pg_statistic holds values of rows that may be gone, until the tables are analyzed again. Blocks nobody who reads or writes rows.';

COMMENT ON FUNCTION "public"."reserve_credits"(text, text, text, text, integer, integer, integer, text[]) IS 'One row. Either credits or a quantity of the action''s unit; neither is a quantity of 1. expires_in_seconds: 600 if left out. outcome: reserved; replayed (reserved before: the figures are those of the first call, and state is open or captured, as it is now); reference_reused (reserved before for another request, or charged by a deduction); account_frozen; action_not_found and too_many_credits as in deduct_credits; too_many_holds (open at the same time); insufficient_credits (needed_credits exceed remaining_credits, which are besides reserved_credits, the sum of the user''s holds); identity_hashes_needed (see private.is_welcome). Only reserved changes anything.';

COMMENT ON FUNCTION "public"."settle_payment"(text, text, text, integer, text, jsonb, text, text[]) IS 'One row. outcome: settled; replayed (this payment settled this order before: the figures are those of that moment); payment_refunded (all of its money was returned, and what it had bought was revoked); not_ours (no order of ours has this Razorpay order, and none that is still pending has the receipt); paid_by_another_payment and amount_mismatch (it buys nothing; flagged once captured); user_erased (whoever the order was for was erased before it was paid: it buys nothing, and is flagged); not_captured (yet: even a failed payment may still be captured); identity_hashes_needed (by whoever is named: see private.is_welcome; nothing was written). reversals: see private.record_reversal.';

COMMENT ON TABLE "public"."erased_identities" IS 'Who has been erased, so that nobody gets the free credits twice by coming back. Refers to no user.';

REVOKE ALL ON FUNCTION "private"."delete_auth_users"(text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."delete_auth_users"(text[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."delete_auth_users"(text[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."ensure_user"(text, text, text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."ensure_user"(text, text, text[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."ensure_user"(text, text, text[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."is_erasing"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."is_erasing"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."is_erasing"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."is_welcome"(text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."is_welcome"(text[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."is_welcome"(text[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."keep_ledger"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."keep_ledger"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."keep_ledger"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."keep_operator_actions"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."keep_operator_actions"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."keep_operator_actions"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."lock_user"(text, text, text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."lock_user"(text, text, text[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."lock_user"(text, text, text[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."replace_references"(uuid[], uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."replace_references"(uuid[], uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."replace_references"(uuid[], uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer, text[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer, text[]) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_old_events"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_old_events"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_old_events"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_old_holds"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_old_holds"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_old_holds"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_old_webhooks"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_old_webhooks"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_old_webhooks"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text, text[], uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text, text[], uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text, text[], uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean, text[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean, text[]) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."refresh_samples"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."refresh_samples"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."refresh_samples"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."reserve_credits"(text, text, text, text, integer, integer, integer, text[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."reserve_credits"(text, text, text, text, integer, integer, integer, text[]) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."reserve_credits"(text, text, text, text, integer, integer, integer, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."settle_payment"(text, text, text, integer, text, jsonb, text, text[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."settle_payment"(text, text, text, integer, text, jsonb, text, text[]) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."settle_payment"(text, text, text, integer, text, jsonb, text, text[]) TO "service_role";

insert into public.settings (name, value) values ('event_retention_days', 90) on conflict do nothing;

insert into public.settings (name, value) values ('hold_retention_days', 365) on conflict do nothing;

insert into public.settings (name, value) values ('webhook_retention_days', 365) on conflict do nothing;

insert into public.settings (name, value) values ('welcome_after_erasure', 0) on conflict do nothing;
