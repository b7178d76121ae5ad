-- The check of the books by part: its functions take a scope, rows note their change, and the runs of the
-- scheduler remember what they found.
--
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP FUNCTION "private"."check_accounts"();

DROP FUNCTION "private"."check_ledger"();

DROP FUNCTION "private"."check_orders"();

DROP FUNCTION "private"."check_payments"();

DROP FUNCTION "private"."check_reversals"();

DROP FUNCTION "public"."check_invariants"();

CREATE TABLE "public"."book_checks" (
  "id"              bigint                   GENERATED ALWAYS AS IDENTITY NOT NULL,
  "is_whole"        boolean                  NOT NULL,
  "since"           timestamp with time zone,
  "before"          timestamp with time zone,
  "complete_until"  timestamp with time zone NOT NULL,
  "violation_count" integer                  NOT NULL,
  "checked_at"      timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT "a_part_has_limits" CHECK ((num_nulls(since, before) =
CASE
    WHEN is_whole THEN 2
    ELSE 0
END)),
  CONSTRAINT "book_checks_pkey" PRIMARY KEY (id)
);

ALTER TABLE "public"."book_checks"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."book_checks" FROM "anon", "authenticated", "service_role";

CREATE TABLE "public"."book_violations" (
  "id"         bigint                   GENERATED ALWAYS AS IDENTITY NOT NULL,
  "invariant"  text                     NOT NULL,
  "subject"    text                     NOT NULL,
  "detail"     text                     NOT NULL,
  "user_id"    uuid,
  "order_id"   uuid,
  "found_at"   timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  "checked_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  "gone_at"    timestamp with time zone,
  CONSTRAINT "book_violations_pkey" PRIMARY KEY (id),
  CONSTRAINT "the_check_is_of_a_user_or_an_order" CHECK ((num_nonnulls(user_id, order_id) = 1))
);

ALTER TABLE "public"."book_violations"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."book_violations" FROM "anon", "authenticated", "service_role";

ALTER TABLE "public"."payment_orders"
  ADD COLUMN "changed_at" timestamp WITH time zone;

ALTER TABLE "public"."payment_reversals"
  ADD COLUMN "changed_at" timestamp WITH time zone;

ALTER TABLE "public"."payments"
  ADD COLUMN "changed_at" timestamp WITH time zone;

REVOKE ALL ON SEQUENCE "public"."book_checks_id_seq" FROM "anon";

REVOKE ALL ON SEQUENCE "public"."book_checks_id_seq" FROM "authenticated";

REVOKE ALL ON SEQUENCE "public"."book_checks_id_seq" FROM "service_role";

REVOKE ALL ON SEQUENCE "public"."book_violations_id_seq" FROM "anon";

REVOKE ALL ON SEQUENCE "public"."book_violations_id_seq" FROM "authenticated";

REVOKE ALL ON SEQUENCE "public"."book_violations_id_seq" FROM "service_role";

CREATE OR REPLACE FUNCTION private.changed_orders (
  since  timestamp with time zone,
  before timestamp with time zone
)
  RETURNS uuid[]
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  AS $function$
#variable_conflict use_column
begin
  return array(
    -- See check_ledger.
    with new_entries as materialized (
      select t.source, t.reference_id from public.credit_transactions t
      where t.created_at >= changed_orders.since and t.created_at < changed_orders.before
    )
    select o.id from public.payment_orders o
    where o.changed_at >= changed_orders.since and o.changed_at < changed_orders.before
    union
    select r.order_id from public.order_references r
    where r.created_at >= changed_orders.since and r.created_at < changed_orders.before
    union
    select p.order_id from public.payments p
    where p.changed_at >= changed_orders.since and p.changed_at < changed_orders.before
    union
    select p.order_id
    from public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    where r.changed_at >= changed_orders.since and r.changed_at < changed_orders.before
    union
    select p.order_id
    from new_entries t
    join public.payments p on p.id = t.reference_id
    where t.source = 'payment'
    union
    select p.order_id
    from new_entries t
    join public.payment_reversals r on r.id = t.reference_id
    join public.payments p on p.id = r.payment_id
    where t.source in ('refund', 'dispute')
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.changed_users (
  since     timestamp with time zone,
  before    timestamp with time zone,
  order_ids uuid[]
)
  RETURNS uuid[]
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  AS $function$
#variable_conflict use_column
begin
  return array(
    with changed as (
      select t.user_id from public.credit_transactions t
      where t.created_at >= changed_users.since and t.created_at < changed_users.before
      union
      select u.id from public.users u
      where u.created_at >= changed_users.since and u.created_at < changed_users.before
      union
      select i.user_id from public.identities i
      where i.created_at >= changed_users.since and i.created_at < changed_users.before
      union
      select o.user_id
      from unnest(changed_users.order_ids) c (id)
      join public.payment_orders o on o.id = c.id
      where o.user_id is not null
      union
      select r.user_id
      from unnest(changed_users.order_ids) c (id)
      join public.order_references r on r.order_id = c.id
    )
    select c.user_id from changed c
    union
    select u.id from public.users u join changed c on c.user_id = u.merged_into
  );
end;
$function$;

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
    select u.id, u.phone_number, u.merged_into, u.credits, u.debt_credits
    from public.users u
    where check_accounts.user_ids is null
    union all
    select u.id, u.phone_number, u.merged_into, u.credits, u.debt_credits
    from unnest(check_accounts.user_ids) c (id)
    join public.users u on u.id = c.id
  )
  select 'every identity of a user is its own, and its number is one of them', 'user ' || u.id,
    format('number %s, %s identities, merged into %s', coalesce(u.phone_number, 'none'),
      count(i.value), coalesce(u.merged_into::text, 'none')),
    u.id, null::uuid
  from accounts u
  left join public.identities i on i.user_id = u.id
  group by u.id, u.phone_number, u.merged_into
  having (count(i.value) = 0) <> (u.merged_into is not null)
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
  select 'no order, reference or identity belongs to a merged account', owned.subject,
    format('user %s is merged into %s', u.id, u.merged_into),
    u.id, null
  from accounts u
  join (
    select 'order ' || o.id, o.user_id from public.payment_orders o
    union all
    select 'identity ' || i.value, i.user_id from public.identities i
    union all
    select 'reference ' || r.reference_id, r.user_id from public.order_references r
  ) owned (subject, user_id) on owned.user_id = u.id
  where u.merged_into is not null

  union all
  select 'a debt is the sum of what is owed, and is paid while there are credits', 'user ' || u.id,
    format('debt %s, owed %s, balance %s', u.debt_credits, coalesce(sum(r.credits_owed), 0),
      u.credits),
    u.id, null
  from accounts u
  left join (
    public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    join public.payment_orders o on o.id = p.order_id
  ) on o.user_id = u.id and r.credits_owed > 0
  group by u.id, u.debt_credits, u.credits
  having u.debt_credits <> coalesce(sum(r.credits_owed), 0)
    or u.debt_credits > 0 and u.credits > 0;
end;
$function$;

CREATE OR REPLACE FUNCTION private.check_changes (
  since  timestamp with time zone,
  before timestamp with time zone
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
  SET enable_seqscan TO 'off'
  SET enable_hashjoin TO 'off'
  SET enable_mergejoin TO 'off'
  SET jit TO 'off'
  AS $function$
declare
  v_order_ids constant uuid[] := private.changed_orders(check_changes.since, check_changes.before);
  v_user_ids constant uuid[] :=
    private.changed_users(check_changes.since, check_changes.before, v_order_ids);
begin
  return query select c.* from private.check_scope(
    check_changes.since, check_changes.before, v_user_ids, v_order_ids
  ) c;
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
    select u.id, u.credits, u.transaction_count
    from public.users u
    where check_ledger.user_ids is null
    union all
    select u.id, u.credits, u.transaction_count
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
    where t.source is distinct from 'system'
    union all
    select t.user_id, format('entry %s is another one', t.sequence_number)
    from entries t
    where t.source = 'system' and t.sequence_number > 1
  ) w (user_id, detail)

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
      and charged.source not in ('refund', 'dispute')
      and charged.source = again.source
      and charged.reference_id = again.reference_id

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
  where r.id is null;
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
      coalesce(t.user_id::text, 'nobody')),
    null::uuid, o.id
  from orders o
  -- Once, because one_grant_per_payment allows no second entry.
  left join public.credit_transactions t
    on t.source = 'payment' and t.reference_id = o.razorpay_payment_id
  left join public.users u on u.id = t.user_id
  where o.state = 'paid'
    and (t.id is null or t.credits <> o.credits or coalesce(u.merged_into, u.id) <> o.user_id)

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
  ) p (id, order_id, net_paise, payer_id, is_of_the_order, payer_net_paise)
  where p.net_paise > 0 and p.is_of_the_order and coalesce(p.payer_net_paise, 0) = 0;
end;
$function$;

CREATE OR REPLACE FUNCTION private.check_reversals (
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
    select o.* from public.payment_orders o where check_reversals.order_ids is null
    union all
    select o.*
    from unnest(check_reversals.order_ids) c (id)
    join public.payment_orders o on o.id = c.id
  )
  select 'reversals take back what went back, and no more', 'payment ' || p.id,
    format('granted %s, taken %s, %s of %s paise gone', p.credits_granted,
      coalesce(sum(r.credits_taken), 0),
      coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0), p.amount_paise),
    null::uuid, p.order_id
  from orders o
  join public.payments p on p.order_id = o.id
  left join public.payment_reversals r on r.payment_id = p.id
  group by p.id, o.razorpay_payment_id
  having coalesce(sum(r.credits_taken), 0) <> case
    when p.id = o.razorpay_payment_id then
      p.credits_granted::bigint
        * least(
            p.amount_paise::bigint,
            coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0)
          )
        / p.amount_paise
    -- It paid the order once, until another payment took over, and keeps nothing of what it bought.
    else p.credits_granted
  end

  union all
  select 'the ledger holds what a reversal took', 'reversal ' || r.id,
    format('taken %s, owed %s, ledger %s', r.credits_taken, r.credits_owed,
      coalesce(sum(case t.action when 'debit' then t.credits else -t.credits end), 0)),
    null, o.id
  from orders o
  join public.payments p on p.order_id = o.id
  join public.payment_reversals r on r.payment_id = p.id
  left join (
    public.credit_transactions t
    join public.users u on u.id = t.user_id
  )
    on t.source in ('refund', 'dispute')
      and t.reference_id = r.id and t.source = r.kind
      and coalesce(u.merged_into, u.id) = o.user_id
  group by r.id, o.id
  having r.credits_taken - r.credits_owed
    <> coalesce(sum(case t.action when 'debit' then t.credits else -t.credits end), 0);
end;
$function$;

CREATE OR REPLACE FUNCTION private.check_scope (
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
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  select c.* from private.check_ledger($1, $2, $3, $4) c
  -- Each violation once: an entry may be in the scope because it is new and because of its order.
  union
  select c.* from private.check_accounts($3) c
  union
  select c.* from private.check_orders($4) c
  union
  select c.* from private.check_payments($4) c
  union
  select c.* from private.check_reversals($4) c;
$function$;

CREATE OR REPLACE FUNCTION private.check_subjects (
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
  SET enable_seqscan TO 'off'
  SET enable_hashjoin TO 'off'
  SET enable_mergejoin TO 'off'
  SET jit TO 'off'
  AS $function$
begin
  return query select c.* from private.check_scope(
    null, null, check_subjects.user_ids, check_subjects.order_ids
  ) c;
end;
$function$;

CREATE OR REPLACE FUNCTION private.has_more_changes (
  since       timestamp with time zone,
  before      timestamp with time zone,
  max_changes integer
)
  RETURNS boolean
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  SET enable_seqscan TO 'off'
  AS $function$
begin
  return (
    select count(*) > has_more_changes.max_changes
    from (
      select from public.credit_transactions t
      where t.created_at >= has_more_changes.since and t.created_at < has_more_changes.before
      union all
      select from public.payment_orders o
      where o.changed_at >= has_more_changes.since and o.changed_at < has_more_changes.before
      union all
      select from public.order_references r
      where r.created_at >= has_more_changes.since and r.created_at < has_more_changes.before
      union all
      select from public.payments p
      where p.changed_at >= has_more_changes.since and p.changed_at < has_more_changes.before
      union all
      select from public.payment_reversals r
      where r.changed_at >= has_more_changes.since and r.changed_at < has_more_changes.before
      -- Enough to know.
      limit has_more_changes.max_changes + 1
    ) changes
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.note_change()
  RETURNS TRIGGER
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  new.changed_at := clock_timestamp();
  return new;
end;
$function$;

CREATE OR REPLACE FUNCTION private.orders_of (
  user_ids uuid[]
)
  RETURNS uuid[]
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  SET enable_seqscan TO 'off'
  AS $function$
#variable_conflict use_column
begin
  return array(
    select o.id from public.payment_orders o where o.user_id = any (orders_of.user_ids)
    union
    select r.order_id from public.order_references r where r.user_id = any (orders_of.user_ids)
    union
    select o.id
    from public.identities i
    join public.payment_orders o on o.phone_number = i.value
    where i.user_id = any (orders_of.user_ids) and i.kind = 'phone'
    union
    select o.id
    from public.identities i
    join public.payment_orders o on o.whatsapp_user_id = i.value
    where i.user_id = any (orders_of.user_ids) and i.kind = 'whatsapp_user_id'
    union
    select p.order_id
    from public.credit_transactions t
    join public.payments p on p.id = t.reference_id
    where t.user_id = any (orders_of.user_ids) and t.source = 'payment'
    union
    select p.order_id
    from public.credit_transactions t
    join public.payment_reversals r on r.id = t.reference_id
    join public.payments p on p.id = r.payment_id
    where t.user_id = any (orders_of.user_ids) and t.source in ('refund', 'dispute')
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.other_account (
  reference_id text
)
  RETURNS uuid
  LANGUAGE sql
  IMMUTABLE
  SET search_path TO ''
  AS $function$
  select case
    when right($1, 36) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then right($1, 36)::uuid
  end;
$function$;

CREATE OR REPLACE FUNCTION public.check_invariants (
  since   timestamp with time zone DEFAULT NULL::timestamp WITH time zone,
  user_id uuid                     DEFAULT NULL::uuid
)
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  SET statement_timeout TO '20s'
  AS $function$
#variable_conflict use_column
declare
  v_user_ids uuid[];
begin
  if num_nonnulls(check_invariants.since, check_invariants.user_id) = 2 then
    raise exception 'a part is what changed since a moment or one user, not both'
      using errcode = 'invalid_parameter_value';
  elsif check_invariants.since is not null then
    return query select c.invariant, c.subject, c.detail
    from private.check_changes(check_invariants.since, 'infinity') c;
  elsif check_invariants.user_id is not null then
    v_user_ids := array(
      select u.id from public.users u
      where u.id = check_invariants.user_id or u.merged_into = check_invariants.user_id
    );
    return query select c.invariant, c.subject, c.detail
    from private.check_subjects(v_user_ids, private.orders_of(v_user_ids)) c;
  else
    return query select c.invariant, c.subject, c.detail
    from private.check_scope(null, null, null, null) c;
  end if;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."check_invariants"(timestamp WITH time zone, uuid) FROM PUBLIC, "anon", "authenticated";

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
  select 'debt', coalesce(u.phone_number, u.id::text), min(r.created_at),
    format('%s credits were spent before their money went back', u.debt_credits)
  from public.payment_reversals r
  join public.payments p on p.id = r.payment_id
  join public.payment_orders o on o.id = p.order_id
  join public.users u on u.id = o.user_id
  where r.credits_owed > 0
  group by u.id

  union all
  select 'open order', o.id::text, o.created_at,
    format('%s paise by %s since %s, last tried payment %s', o.amount_paise, o.channel, o.created_at, (
      select p.id || ' ' || p.status from public.payments p where p.order_id = o.id
      order by p.created_at desc limit 1
    ))
  from public.payment_orders o
  where o.state = 'open' and o.tried_at is not null and o.next_check_at is not null
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

  order by 3;
$function$;

CREATE OR REPLACE FUNCTION public.run_book_check (
  whole       boolean DEFAULT false,
  max_changes integer DEFAULT 20000
)
  RETURNS TABLE (
    outcome         text,
    violation_count integer
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  -- Rows carry the time when they were written, not when they were committed. No function that writes
  -- them takes longer than 4 seconds over the Data API.
  v_complete_until timestamptz := v_now - interval '1 minute';
  v_since timestamptz;
  v_before timestamptz := v_now;
  v_is_skipped boolean := false;
  v_known_user_ids uuid[] := '{}';
  v_known_order_ids uuid[] := '{}';
begin
  if run_book_check.max_changes is null or run_book_check.max_changes < 1 then
    raise exception 'a run takes on at least one change, not %', run_book_check.max_changes
      using errcode = 'invalid_parameter_value';
  end if;
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('book check', 0)) then
    outcome := 'busy';
    violation_count := 0;
    return next;
    return;
  end if;

  if run_book_check.whole then
    v_before := null;
  else
    -- The first run takes on a day: what is older is for a run of the whole. least, because the server's
    -- clock may have been set back.
    v_since := least(
      coalesce(
        (select c.complete_until from public.book_checks c order by c.id desc limit 1),
        v_now - interval '1 day'
      ),
      v_complete_until
    );
    -- After a pause, the runs catch up in steps that each end in time.
    while private.has_more_changes(v_since, v_before, run_book_check.max_changes) loop
      v_before := v_since + (v_before - v_since) / 2;
      -- Nothing but a bulk change writes so much at one moment. It is for a run of the whole, and must
      -- not stop the runs after it.
      if v_before - v_since < interval '1 millisecond' then
        v_before := v_since + interval '1 millisecond';
        v_is_skipped := true;
        exit;
      end if;
    end loop;
    v_complete_until := least(v_before, v_complete_until);

    -- What was found earlier is looked for again, whether or not it has changed since: the longest ago
    -- first, and as many users as have so many entries together. One who has more alone is left to a run
    -- of the whole, and keeps none of the others waiting.
    v_known_user_ids := array(
      select o.user_id
      from (
        select v.user_id,
          sum(coalesce(max(u.transaction_count), 0)) over (order by min(v.checked_at), v.user_id)
            as entries_so_far
        from public.book_violations v
        left join public.users u on u.id = v.user_id
        where v.gone_at is null and v.user_id is not null
          and coalesce(u.transaction_count, 0) <= run_book_check.max_changes
        group by v.user_id
      ) o
      where o.entries_so_far <= run_book_check.max_changes
      order by o.entries_so_far
      limit 100
    );
    v_known_order_ids := array(
      select v.order_id
      from public.book_violations v
      where v.gone_at is null and v.order_id is not null
      group by v.order_id
      order by min(v.checked_at)
      limit 100
    );
  end if;

  with found as materialized (
    select distinct on (c.invariant, c.subject) c.*
    from (
      select w.* from private.check_scope(null, null, null, null) w where run_book_check.whole
      union all
      select n.* from private.check_changes(v_since, v_before) n
      where not run_book_check.whole and not v_is_skipped
      union all
      select k.* from private.check_subjects(v_known_user_ids, v_known_order_ids) k
      where not run_book_check.whole
    ) c
    order by c.invariant, c.subject
  ),
  still_there as (
    update public.book_violations v
    set detail = f.detail, checked_at = v_now
    from found f
    where v.gone_at is null and v.invariant = f.invariant and v.subject = f.subject
  ),
  gone as (
    update public.book_violations v
    set checked_at = v_now, gone_at = v_now
    where v.gone_at is null
      and (run_book_check.whole
        or v.user_id = any (v_known_user_ids)
        or v.order_id = any (v_known_order_ids))
      and not exists (
        select from found f where f.invariant = v.invariant and f.subject = v.subject
      )
  ),
  new as (
    insert into public.book_violations
      (invariant, subject, detail, user_id, order_id, found_at, checked_at)
    select f.invariant, f.subject, f.detail, f.user_id, f.order_id, v_now, v_now
    from found f
    where not exists (
      select from public.book_violations v
      where v.gone_at is null and v.invariant = f.invariant and v.subject = f.subject
    )
    -- Enough to show what is wrong, even if everything is.
    limit 1000
  )
  select count(*)::integer into violation_count from found;

  insert into public.book_checks
    (is_whole, since, before, complete_until, violation_count, checked_at)
  values (run_book_check.whole, v_since, v_before, v_complete_until, violation_count, v_now);
  delete from public.book_checks c
  where c.violation_count = 0 and c.checked_at < v_now - interval '7 days';

  outcome := case when v_before < v_now then 'behind' else 'caught_up' end;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."run_book_check"(boolean, integer) FROM PUBLIC, "anon", "authenticated";

CREATE INDEX book_checks_that_found_nothing ON public.book_checks USING btree (checked_at)
  WHERE (violation_count = 0);

CREATE INDEX book_violations_to_check_again ON public.book_violations USING btree (checked_at)
  WHERE (gone_at IS NULL);

CREATE UNIQUE INDEX one_open_violation ON public.book_violations USING btree (invariant, subject)
  WHERE (gone_at IS NULL);

CREATE INDEX payment_reversals_by_change ON public.payment_reversals USING btree (changed_at)
  WHERE (changed_at IS NOT NULL);

CREATE INDEX payments_by_change ON public.payments USING btree (changed_at)
  WHERE (changed_at IS NOT NULL);

CREATE TRIGGER payment_orders_note_their_change
  BEFORE INSERT OR UPDATE ON public.payment_orders
  FOR EACH ROW
  EXECUTE FUNCTION private.note_change();

CREATE TRIGGER payment_reversals_note_their_change
  BEFORE INSERT OR UPDATE ON public.payment_reversals
  FOR EACH ROW
  EXECUTE FUNCTION private.note_change();

CREATE TRIGGER payments_note_their_change
  BEFORE INSERT OR UPDATE ON public.payments
  FOR EACH ROW
  EXECUTE FUNCTION private.note_change();

COMMENT ON COLUMN "public"."book_checks"."complete_until" IS 'Where the next part starts: what was written before this has been checked.';

COMMENT ON COLUMN "public"."book_checks"."violation_count" IS 'How many violations the run found, also those that were known already.';

COMMENT ON COLUMN "public"."book_violations"."checked_at" IS 'When it was last looked for.';

COMMENT ON COLUMN "public"."book_violations"."gone_at" IS 'When it was looked for and no longer found.';

COMMENT ON COLUMN "public"."book_violations"."user_id" IS 'Whose check finds it, or order_id. No foreign keys: what is broken may be gone.';

COMMENT ON COLUMN "public"."payment_orders"."changed_at" IS 'When the row was last written, by whomever; null if that was before the column existed.';

COMMENT ON COLUMN "public"."payment_reversals"."changed_at" IS 'When the row was last written, by whomever; null if that was before the column existed.';

COMMENT ON COLUMN "public"."payments"."changed_at" IS 'When the row was last written, by whomever; null if that was before the column existed.';

COMMENT ON FUNCTION "private"."changed_orders"(timestamp with time zone, timestamp with time zone) IS 'Part of check_changes. Those of the changed orders, payments and reversals, of the new references, and of the new entries about them.';

COMMENT ON FUNCTION "private"."changed_users"(timestamp with time zone, timestamp with time zone, uuid[]) IS 'Part of check_changes. Those with new entries, new users, those with a new identity, and the owners of order_ids; and the accounts that were merged into any of them. Not those whose row alone has changed.';

COMMENT ON FUNCTION "private"."check_accounts"(uuid[]) IS 'Part of check_scope. Reads the users of user_ids and what belongs to them.';

COMMENT ON FUNCTION "private"."check_changes"(timestamp with time zone, timestamp with time zone) IS 'As check_scope. Takes time in proportion to what was written, whatever the size of the books.';

COMMENT ON FUNCTION "private"."check_ledger"(timestamp with time zone, timestamp with time zone, uuid[], uuid[]) IS 'Part of check_scope. Reads the accounts of user_ids; their whole histories or, with since, the entries of that time; and the entries of the payments of order_ids.';

COMMENT ON FUNCTION "private"."check_orders"(uuid[]) IS 'Part of check_scope. Reads the orders of order_ids, their payments and references.';

COMMENT ON FUNCTION "private"."check_payments"(uuid[]) IS 'Part of check_scope. Reads the payments of order_ids, their reversals and grants.';

COMMENT ON FUNCTION "private"."check_reversals"(uuid[]) IS 'Part of check_scope. Reads the reversals of the payments of order_ids, and their entries.';

COMMENT ON FUNCTION "private"."check_scope"(timestamp with time zone, timestamp with time zone, uuid[], uuid[]) IS 'Everything, if all arguments are null. Otherwise a part: since and before are the times of new entries, and without them the whole histories of user_ids are read. A violation names the user or the order whose check finds it.';

COMMENT ON FUNCTION "private"."check_subjects"(uuid[], uuid[]) IS 'As check_scope. Takes time in proportion to the histories of the users, whatever the size of the books.';

COMMENT ON FUNCTION "private"."has_more_changes"(timestamp with time zone, timestamp with time zone, integer) IS 'Takes time in proportion to max_changes at most.';

COMMENT ON FUNCTION "private"."note_change"() IS 'Trigger of the tables whose rows change without a new entry in the ledger. Not of users: its rows change with every deduction, which the ledger tells of.';

COMMENT ON FUNCTION "private"."orders_of"(uuid[]) IS 'Those that they paid, that are for one of their identities or references, or that their entries are about.';

COMMENT ON FUNCTION "private"."other_account"(text) IS 'Null if the reference names none.';

COMMENT ON FUNCTION "public"."check_invariants"(timestamp with time zone, uuid) IS 'Returns every violated invariant of the books with its subject, and no row if all is well. For operators and for tests. since: of what was written from then on, in a time that grows with how much that is. user_id: of one user, the accounts that were merged into it, and their orders, in a time that grows with their histories. Neither: of everything. That reads every table in full, a fixed number of times, so call it over a direct connection, once a day.';

COMMENT ON FUNCTION "public"."list_attention"() IS 'kind: flagged payment (refund it in Razorpay''s dashboard); debt; open order (older than 15 minutes, still watched, and somebody tried to pay it); failed delivery; payment of no order (captured money that belongs to no order of ours: until it is booked or refunded, for 30 days); limit reached (a limit for everybody together, until its window ends); broken invariant (found by run_book_check, until it is found no more); books unchecked (run_book_check fails or is no longer called).';

COMMENT ON FUNCTION "public"."run_book_check"(boolean, integer) IS 'One row. outcome: caught_up; behind (there was more than max_changes: call again to go on); busy (another run is at work, and this call did nothing). list_attention shows what is found until a later run no longer finds it. whole: everything, and all that was found earlier; it takes as long as check_invariants() and needs a direct connection.';

COMMENT ON TABLE "public"."book_checks" IS 'The runs of the check of the books. Those that found something are kept.';

COMMENT ON TABLE "public"."book_violations" IS 'What the check of the books has found: kept permanently, and open until it is found no more.';

REVOKE ALL ON FUNCTION "private"."changed_orders"(timestamp WITH time zone, timestamp WITH time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."changed_orders"(timestamp WITH time zone, timestamp WITH time zone) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."changed_orders"(timestamp WITH time zone, timestamp WITH time zone) TO "postgres";

REVOKE ALL ON FUNCTION "private"."changed_users"(timestamp WITH time zone, timestamp WITH time zone, uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."changed_users"(timestamp WITH time zone, timestamp WITH time zone, uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."changed_users"(timestamp WITH time zone, timestamp WITH time zone, uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_accounts"(uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_accounts"(uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_accounts"(uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_changes"(timestamp WITH time zone, timestamp WITH time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_changes"(timestamp WITH time zone, timestamp WITH time zone) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_changes"(timestamp WITH time zone, timestamp WITH time zone) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_ledger"(timestamp WITH time zone, timestamp WITH time zone, uuid[], uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_ledger"(timestamp WITH time zone, timestamp WITH time zone, uuid[], uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_ledger"(timestamp WITH time zone, timestamp WITH time zone, uuid[], uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_orders"(uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_orders"(uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_orders"(uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_payments"(uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_payments"(uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_payments"(uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_reversals"(uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_reversals"(uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_reversals"(uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_scope"(timestamp WITH time zone, timestamp WITH time zone, uuid[], uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_scope"(timestamp WITH time zone, timestamp WITH time zone, uuid[], uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_scope"(timestamp WITH time zone, timestamp WITH time zone, uuid[], uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_subjects"(uuid[], uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_subjects"(uuid[], uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_subjects"(uuid[], uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."has_more_changes"(timestamp WITH time zone, timestamp WITH time zone, integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."has_more_changes"(timestamp WITH time zone, timestamp WITH time zone, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."has_more_changes"(timestamp WITH time zone, timestamp WITH time zone, integer) TO "postgres";

REVOKE ALL ON FUNCTION "private"."note_change"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."note_change"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."note_change"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."orders_of"(uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."orders_of"(uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."orders_of"(uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."other_account"(text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."other_account"(text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."other_account"(text) TO "postgres";

REVOKE ALL ON FUNCTION "public"."check_invariants"(timestamp WITH time zone, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."check_invariants"(timestamp WITH time zone, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."check_invariants"(timestamp WITH time zone, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."run_book_check"(boolean, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."run_book_check"(boolean, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."run_book_check"(boolean, integer) TO "service_role";
