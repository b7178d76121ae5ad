-- Operators act on users and payments, under their name, with a reason and a reference.
--
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP INDEX "public"."one_entry_per_cause";

ALTER TABLE "public"."payment_reversals"
  DROP CONSTRAINT "nobody_owes_more_than_was_taken";

DROP FUNCTION "public"."get_user"(text, text, text);

CREATE TABLE "public"."adjustments" (
  "reference_id"     text                     NOT NULL,
  "user_id"          uuid                     NOT NULL,
  "credits"          integer                  NOT NULL,
  "credits_owed"     integer                  NOT NULL DEFAULT 0,
  "credits_forgiven" integer                  NOT NULL DEFAULT 0,
  "created_at"       timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  "changed_at"       timestamp with time zone,
  CONSTRAINT "adjustments_pkey" PRIMARY KEY (reference_id),
  CONSTRAINT "an_adjustment_changes_something" CHECK ((credits <> 0)),
  CONSTRAINT "an_adjustment_is_at_most_a_million_credits" CHECK (((credits >= '-1000000'::integer) AND (credits <= 1000000))),
  CONSTRAINT "nobody_owes_more_than_an_adjustment_took"
    CHECK (((credits_owed >= 0) AND (credits_forgiven >= 0) AND ((credits_owed + credits_forgiven) <= GREATEST(0, (- credits)))))
);

ALTER TABLE "public"."adjustments"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."adjustments" FROM "anon", "authenticated", "service_role";

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "action" text NOT NULL DEFAULT 'settle-order'::text;

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "user_id" uuid;

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "payment_id" text;

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "reference_id" text;

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "request" jsonb;

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "before" jsonb;

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "after" jsonb;

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "result" jsonb;

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "completes" bigint;

ALTER TABLE "public"."payment_reversals"
  ADD COLUMN "credits_forgiven" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."users"
  ADD COLUMN "frozen_at" timestamp WITH time zone;

ALTER TABLE "public"."operator_actions"
  ALTER COLUMN "order_id" DROP NOT NULL;

CREATE OR REPLACE FUNCTION private.account_state (
  account public.users
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return jsonb_build_object(
    'credits', (account).credits,
    'reserved_credits', (account).held_credits,
    'debt_credits', (account).debt_credits,
    'frozen_at', (account).frozen_at
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
      select h.user_id from public.holds h
      where h.created_at >= changed_users.since and h.created_at < changed_users.before
      union
      select h.user_id from public.holds h
      where h.ended_at >= changed_users.since and h.ended_at < changed_users.before
      union
      select a.user_id from public.adjustments a
      where a.changed_at >= changed_users.since and a.changed_at < changed_users.before
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
    select u.id, u.phone_number, u.merged_into, u.credits, u.debt_credits, u.held_credits
    from public.users u
    where check_accounts.user_ids is null
    union all
    select u.id, u.phone_number, u.merged_into, u.credits, u.debt_credits, u.held_credits
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

CREATE OR REPLACE FUNCTION private.check_adjustments (
  since    timestamp with time zone,
  before   timestamp with time zone,
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
  with adjustments as not materialized (
    select a.* from public.adjustments a where check_adjustments.user_ids is null
    union all
    select a.*
    from unnest(check_adjustments.user_ids) c (id)
    join public.adjustments a on a.user_id = c.id
  ),
  -- See check_ledger.
  new_entries as materialized (
    select t.* from public.credit_transactions t
    where t.created_at >= check_adjustments.since and t.created_at < check_adjustments.before
  ),
  entries as not materialized (
    select t.* from public.credit_transactions t
    where check_adjustments.since is null
      and (check_adjustments.user_ids is null or t.user_id = any (check_adjustments.user_ids))
    union all
    select n.* from new_entries n where check_adjustments.since is not null
  )
  select 'the ledger holds what an adjustment asked for', 'adjustment ' || a.reference_id,
    format('asked for %s, owed %s, forgiven %s, ledger %s', a.credits, a.credits_owed,
      a.credits_forgiven,
      coalesce(sum(case t.action when 'credit' then t.credits else -t.credits end), 0)),
    a.user_id, null::uuid
  from adjustments a
  left join (
    public.credit_transactions t
    join public.users u on u.id = t.user_id
  )
    on t.source = 'adjustment'
      and t.reference_id = a.reference_id
      and coalesce(u.merged_into, u.id) = a.user_id
  group by a.reference_id, a.user_id, a.credits, a.credits_owed, a.credits_forgiven
  having a.credits + a.credits_owed + a.credits_forgiven
    <> coalesce(sum(case t.action when 'credit' then t.credits else -t.credits end), 0)

  union all
  select 'every entry of an adjustment belongs to one', 'entry ' || t.id,
    format('reference %s', t.reference_id),
    t.user_id, null
  from entries t
  join public.users u on u.id = t.user_id
  left join public.adjustments a
    on a.reference_id = t.reference_id and a.user_id = coalesce(u.merged_into, u.id)
  where t.source = 'adjustment' and a.reference_id is null;
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
    format('taken %s, owed %s, forgiven %s, ledger %s', r.credits_taken, r.credits_owed,
      r.credits_forgiven,
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
  having r.credits_taken - r.credits_owed - r.credits_forgiven
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
  select c.* from private.check_holds($1, $2, $3) c
  union
  select c.* from private.check_orders($4) c
  union
  select c.* from private.check_payments($4) c
  union
  select c.* from private.check_reversals($4) c
  union
  select c.* from private.check_adjustments($1, $2, $3) c;
$function$;

CREATE OR REPLACE FUNCTION private.collect_debts (
  user_id uuid
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_available integer;
  v_debt_credits integer;
  v_debt private.debts;
  v_paid integer;
begin
  select u.credits - u.held_credits, u.debt_credits into strict v_available, v_debt_credits
  from public.users u
  where u.id = collect_debts.user_id
  for no key update;

  if v_debt_credits = 0 then
    return;
  end if;

  for v_debt in
    select d.* from private.debts d
    where d.user_id = collect_debts.user_id
    order by d.created_at, d.reference_id
  loop
    v_paid := least(v_available, v_debt.credits_owed);
    exit when v_paid = 0;
    perform private.reduce_debt(v_debt, v_paid, is_forgiven => false);
    perform private.post_entry(
      collect_debts.user_id, 'debit', v_paid, v_debt.source, v_debt.reference_id
    );
    v_available := v_available - v_paid;
  end loop;
end;
$function$;

CREATE OR REPLACE FUNCTION private.customer_details (
  account public.users
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
declare
  v_orders jsonb;
begin
  select coalesce(jsonb_agg(private.order_details(o.id) order by o.created_at desc), '[]')
  into v_orders
  from (
    select o.id, o.created_at
    from (
      select o.id, o.created_at from public.payment_orders o where o.user_id = (account).id
      union
      -- Those that are not paid belong to a number or a WhatsApp user id.
      select o.id, o.created_at
      from public.identities i
      join public.payment_orders o on i.kind = 'phone' and o.phone_number = i.value
      where i.user_id = (account).id and o.user_id is null
      union
      select o.id, o.created_at
      from public.identities i
      join public.payment_orders o
        on i.kind = 'whatsapp_user_id' and o.whatsapp_user_id = i.value
      where i.user_id = (account).id and o.user_id is null
    ) o
    order by o.created_at desc
    limit 20
  ) o;

  return jsonb_build_object(
    'user_id', (account).id,
    'phone_number', (account).phone_number,
    'created_at', (account).created_at,
    'credits', (account).credits,
    'remaining_credits', private.remaining_credits(account),
    'reserved_credits', private.reserved_credits(account),
    'debt_credits', (account).debt_credits,
    'frozen', (account).frozen_at is not null,
    'frozen_at', (account).frozen_at,
    'flags', to_jsonb(array_remove(array[
      case when (account).frozen_at is not null then 'frozen' end,
      case when (account).debt_credits > 0 then 'debt' end,
      case
        when exists (
          select from public.payment_orders o
          join public.payments p on p.order_id = o.id and p.flag is not null
          where o.user_id = (account).id
        )
        then 'flagged_payment'
      end,
      case
        when exists (
          select from public.operator_actions a
          where a.user_id = (account).id and a.outcome = 'asked'
            and not exists (select from public.operator_actions c where c.completes = a.id)
        )
        then 'unfinished_refund'
      end
    ], null)),
    'identities', (
      select coalesce(jsonb_agg(
        jsonb_build_object('kind', i.kind, 'value', i.value) order by i.kind, i.value
      ), '[]')
      from (
        select i.* from public.identities i
        where i.user_id = (account).id
        order by i.kind, i.value
        limit 20
      ) i
    ),
    'merged_user_ids', (
      select coalesce(jsonb_agg(m.id order by m.id), '[]')
      from (
        select m.id from public.users m where m.merged_into = (account).id order by m.id limit 20
      ) m
    ),
    'entries', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'sequence_number', t.sequence_number,
          'created_at', t.created_at,
          'action', t.action,
          'credits', t.credits,
          'source', t.source,
          'reference_id', t.reference_id,
          'balance_after', t.balance_after
        )
        order by t.sequence_number desc
      ), '[]')
      from (
        select t.* from public.credit_transactions t
        where t.user_id = (account).id
        order by t.sequence_number desc
        limit 20
      ) t
    ),
    'holds', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'reference_id', h.reference_id,
          'action', h.action_id,
          'credits', h.credits,
          'created_at', h.created_at,
          'expires_at', h.expires_at
        )
        order by h.expires_at
      ), '[]')
      from (
        select h.* from public.holds h
        where h.user_id = (account).id and h.state = 'open' and h.expires_at > clock_timestamp()
        order by h.expires_at
        limit 50
      ) h
    ),
    'orders', v_orders,
    'actions', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'created_at', a.created_at,
          'action', a.action,
          'operator', a.operator,
          'reason', a.reason,
          'outcome', a.outcome,
          'reference_id', a.reference_id
        )
        order by a.id desc
      ), '[]')
      from (
        select a.* from public.operator_actions a
        where a.user_id = (account).id
        order by a.id desc
        limit 20
      ) a
    )
  );
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
      select from public.holds h
      where h.created_at >= has_more_changes.since and h.created_at < has_more_changes.before
      union all
      select from public.holds h
      where h.ended_at >= has_more_changes.since and h.ended_at < has_more_changes.before
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
      union all
      select from public.adjustments a
      where a.changed_at >= has_more_changes.since and a.changed_at < has_more_changes.before
      -- Enough to know.
      limit has_more_changes.max_changes + 1
    ) changes
  );
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
      if v_user.merged_into is null then
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

CREATE OR REPLACE FUNCTION private.order_details (
  order_id uuid
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return (
    select jsonb_build_object(
      'order_id', o.id,
      'state', o.state,
      'channel', o.channel,
      'phone_number', o.phone_number,
      'whatsapp_user_id', o.whatsapp_user_id,
      'package_id', o.package_id,
      'credits', o.credits,
      'amount_paise', o.amount_paise,
      'razorpay_order_id', o.razorpay_order_id,
      'created_at', o.created_at,
      'paid_at', o.paid_at,
      'payments', coalesce((
        select jsonb_agg(
          jsonb_build_object(
            'payment_id', p.id,
            'status', p.status,
            'amount_paise', p.amount_paise,
            'returned_paise', coalesce((
              select sum(r.amount_paise) from public.payment_reversals r
              where r.payment_id = p.id and r.is_money_gone
            ), 0),
            'credits_granted', p.credits_granted,
            'flag', p.flag,
            'created_at', p.created_at
          )
          order by p.created_at desc
        )
        from (
          select p.* from public.payments p
          where p.order_id = o.id
          order by p.created_at desc
          limit 20
        ) p
      ), '[]')
    )
    from public.payment_orders o
    where o.id = order_details.order_id
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.record_action (
  action       text,
  operator     text,
  reason       text,
  outcome      text   DEFAULT 'done'::text,
  reference_id text   DEFAULT NULL::text,
  request      jsonb  DEFAULT NULL::jsonb,
  user_id      uuid   DEFAULT NULL::uuid,
  order_id     uuid   DEFAULT NULL::uuid,
  payment_id   text   DEFAULT NULL::text,
  before       jsonb  DEFAULT NULL::jsonb,
  after        jsonb  DEFAULT NULL::jsonb,
  result       jsonb  DEFAULT NULL::jsonb,
  completes    bigint DEFAULT NULL::bigint
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  insert into public.operator_actions
    (action, operator, reason, outcome, reference_id, request, user_id, order_id, payment_id, before,
      after, result, completes)
  values (record_action.action, record_action.operator, record_action.reason, record_action.outcome,
    record_action.reference_id, record_action.request, record_action.user_id, record_action.order_id,
    record_action.payment_id, record_action.before, record_action.after, record_action.result,
    record_action.completes);
end;
$function$;

CREATE OR REPLACE FUNCTION private.repeated_action (
  action       text,
  reference_id text,
  request      jsonb,
  OUT          outcome text,
  OUT          result jsonb,
  OUT          action_id bigint
)
  RETURNS record
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  -- Calls with one reference take turns, until the end of the transaction.
  perform pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('operator ' || repeated_action.reference_id, 0)
  );
  select
    case
      when a.action <> repeated_action.action or a.request <> repeated_action.request
      then 'reference_reused'
      when a.outcome = 'asked' then coalesce(c.outcome, 'asked')
      else 'replayed'
    end,
    coalesce(c.result, a.result), a.id
  into outcome, result, action_id
  from public.operator_actions a
  left join public.operator_actions c on c.completes = a.id
  where a.reference_id = repeated_action.reference_id;
end;
$function$;

CREATE OR REPLACE FUNCTION private.restore_credits (
  user_id     uuid,
  reversal_id text,
  credits     integer
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_kind text;
  v_owed integer;
  v_forgiven integer;
begin
  select r.kind, least(r.credits_owed, restore_credits.credits), r.credits_forgiven
  into strict v_kind, v_owed, v_forgiven
  from public.payment_reversals r where r.id = restore_credits.reversal_id for update;
  -- What was forgiven was never taken from the balance.
  v_forgiven := least(v_forgiven, restore_credits.credits - v_owed);

  update public.payment_reversals r
  set credits_taken = r.credits_taken - restore_credits.credits,
      credits_owed = r.credits_owed - v_owed,
      credits_forgiven = r.credits_forgiven - v_forgiven
  where r.id = restore_credits.reversal_id;

  update public.users u set debt_credits = u.debt_credits - v_owed
  where u.id = restore_credits.user_id;

  if restore_credits.credits > v_owed + v_forgiven then
    perform private.post_entry(
      restore_credits.user_id, 'credit', restore_credits.credits - v_owed - v_forgiven, v_kind,
      restore_credits.reversal_id
    );
    perform private.collect_debts(restore_credits.user_id);
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.set_frozen (
  user_id      uuid,
  is_frozen    boolean,
  operator     text,
  reason       text,
  reference_id text,
  OUT          outcome text,
  OUT          result jsonb
)
  RETURNS record
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_action constant text := case when is_frozen then 'freeze-user' else 'unfreeze-user' end;
  v_request constant jsonb := jsonb_build_object('user_id', set_frozen.user_id);
  v_user public.users;
  v_before jsonb;
begin
  select r.outcome, r.result into outcome, result
  from private.repeated_action(v_action, set_frozen.reference_id, v_request) r;
  if outcome is not null then
    return;
  end if;

  v_user := private.lock_account(set_frozen.user_id);
  if v_user.id is null then
    outcome := 'user_not_found';
    return;
  end if;
  v_before := private.account_state(v_user);

  if is_frozen <> (v_user.frozen_at is not null) then
    update public.users u
    set frozen_at = case when is_frozen then clock_timestamp() end
    where u.id = v_user.id
    returning * into v_user;
  end if;

  outcome := 'done';
  result := jsonb_build_object('user_id', v_user.id, 'frozen', is_frozen);
  perform private.record_action(
    v_action, set_frozen.operator, set_frozen.reason,
    reference_id => set_frozen.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.states_of_two (
  from_user_id uuid,
  into_user_id uuid
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return (
    select jsonb_object_agg(
      case u.id when from_user_id then 'from' else 'into' end, private.account_state(u)
    )
    from public.users u
    where u.id in (from_user_id, into_user_id)
  );
end;
$function$;

CREATE OR REPLACE FUNCTION public.adjust_credits (
  user_id      uuid,
  credits      integer,
  operator     text,
  reason       text,
  reference_id text,
  allow_debt   boolean DEFAULT false
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_max_credits constant integer := 1000000;
  -- Far enough from the end of an integer that no payment fails to be booked.
  v_max_balance constant integer := 1000000000;
  v_request constant jsonb := jsonb_build_object(
    'user_id', adjust_credits.user_id,
    'credits', adjust_credits.credits,
    'allow_debt', coalesce(adjust_credits.allow_debt, false)
  );
  v_user public.users;
  v_before jsonb;
  v_taken integer;
begin
  if adjust_credits.credits is null or adjust_credits.credits = 0
    or abs(adjust_credits.credits) > v_max_credits
  then
    raise exception 'an adjustment is a difference of at most % credits, and not 0', v_max_credits
      using errcode = 'invalid_parameter_value';
  end if;

  select r.outcome, r.result into outcome, result
  from private.repeated_action('adjust-credits', adjust_credits.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  v_user := private.lock_account(adjust_credits.user_id);
  v_before := private.account_state(v_user);
  v_taken := least(-adjust_credits.credits, v_user.credits - v_user.held_credits);
  if v_user.id is null then
    outcome := 'user_not_found';
  elsif v_taken < -adjust_credits.credits and not coalesce(adjust_credits.allow_debt, false) then
    outcome := 'not_enough_credits';
  elsif v_user.credits + adjust_credits.credits > v_max_balance
    or v_user.debt_credits - adjust_credits.credits > v_max_balance
  then
    outcome := 'too_many_credits';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  insert into public.adjustments (reference_id, user_id, credits, credits_owed)
  values (adjust_credits.reference_id, v_user.id, adjust_credits.credits,
    greatest(0, -adjust_credits.credits - v_taken));
  if adjust_credits.credits > 0 then
    perform private.post_entry(
      v_user.id, 'credit', adjust_credits.credits, 'adjustment', adjust_credits.reference_id
    );
    perform private.collect_debts(v_user.id);
  else
    update public.users u set debt_credits = u.debt_credits - adjust_credits.credits - v_taken
    where u.id = v_user.id;
    if v_taken > 0 then
      perform private.post_entry(
        v_user.id, 'debit', v_taken, 'adjustment', adjust_credits.reference_id
      );
    end if;
  end if;

  select u.* into strict v_user from public.users u where u.id = v_user.id;
  outcome := 'done';
  result := jsonb_build_object(
    'user_id', v_user.id, 'credits', v_user.credits, 'debt_credits', v_user.debt_credits
  );
  perform private.record_action(
    'adjust-credits', adjust_credits.operator, adjust_credits.reason,
    reference_id => adjust_credits.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.ask_refund (
  payment_id   text,
  operator     text,
  reason       text,
  reference_id text,
  amount_paise integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome      text,
    result       jsonb,
    refund_paise integer,
    refund_key   text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_min_paise constant integer := 100;
  v_request constant jsonb := jsonb_build_object(
    'payment_id', ask_refund.payment_id, 'amount_paise', ask_refund.amount_paise
  );
  v_action_id bigint;
  v_payment public.payments;
  v_left bigint;
begin
  select r.outcome, r.result, r.action_id into outcome, result, v_action_id
  from private.repeated_action('refund-payment', ask_refund.reference_id, v_request) r;
  -- Of this payment alone, because several projects may share an account with Razorpay.
  refund_key := left(encode(sha256(convert_to(
    ask_refund.payment_id || ' ' || ask_refund.reference_id, 'UTF8'
  )), 'hex'), 40);
  if outcome is not null then
    select (a.after ->> 'amount_paise')::integer into refund_paise
    from public.operator_actions a where a.id = v_action_id;
    return next;
    return;
  end if;

  -- Refunds of one payment are asked for in turn, so that each sees what the others have asked for.
  select p.* into v_payment from public.payments p where p.id = ask_refund.payment_id
  for no key update;
  v_left := v_payment.amount_paise
    - coalesce((
      select sum(r.amount_paise) from public.payment_reversals r
      where r.payment_id = v_payment.id
        and case r.kind when 'refund' then r.status <> 'failed' else r.is_money_gone end
    ), 0)
    - coalesce((
      select sum((a.after ->> 'amount_paise')::bigint) from public.operator_actions a
      where a.payment_id = v_payment.id and a.outcome = 'asked'
        and not exists (select from public.operator_actions c where c.completes = a.id)
    ), 0);
  if v_payment.id is null then
    outcome := 'payment_not_found';
  elsif v_payment.status not in ('captured', 'refunded') then
    outcome := 'payment_not_captured';
  elsif coalesce(ask_refund.amount_paise, v_min_paise) > v_left then
    outcome := 'refund_exceeds_payment';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  outcome := 'asking';
  refund_paise := coalesce(ask_refund.amount_paise, v_left);
  perform private.record_action(
    'refund-payment', ask_refund.operator, ask_refund.reason, 'asked',
    reference_id => ask_refund.reference_id, request => v_request,
    user_id => (select o.user_id from public.payment_orders o where o.id = v_payment.order_id),
    order_id => v_payment.order_id, payment_id => v_payment.id,
    before => jsonb_build_object('left_paise', v_left),
    after => jsonb_build_object('amount_paise', refund_paise)
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."ask_refund"(text, text, text, text, integer) FROM PUBLIC, "anon", "authenticated";

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
    done_message      text
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
    (select p.done_message from public.action_prices p where p.id = c.price_id)
  into outcome, user_id, remaining_credits, captured_credits, is_late, done_message
  from charged c;

  if outcome is not null then
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
    v_hold, case v_credits when 0 then 'released' else 'captured' end, v_credits::integer, v_quantity
  );
  outcome := 'captured';
  remaining_credits := v_hold.remaining_after_end;
  captured_credits := v_hold.captured_credits;
  is_late := v_hold.ended_at >= v_hold.expires_at;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.deduct_credits (
  phone_number     text    DEFAULT NULL::text,
  credits          integer DEFAULT NULL::integer,
  reference_id     text    DEFAULT NULL::text,
  whatsapp_user_id text    DEFAULT NULL::text,
  action           text    DEFAULT NULL::text,
  quantity         integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome           text,
    user_id           uuid,
    remaining_credits integer,
    reserved_credits  integer,
    needed_credits    bigint,
    done_message      text
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
    perform private.ensure_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id);
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
  select 'deducted', c.id, c.remaining, 0, c.credits, c.done_message, c.credits, e.is_written
  into outcome, user_id, remaining_credits, reserved_credits, needed_credits, done_message,
    v_charged_credits, v_is_charged
  from charged c
  left join entry e on true;

  if v_is_charged then
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
    private.lock_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id)
  );
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
    perform private.post_entry(
      v_user.id, 'debit', v_price.credits::integer, v_action, deduct_credits.reference_id, v_quantity,
      v_price.price_id
    );
    outcome := 'deducted';
    remaining_credits := remaining_credits - v_price.credits::integer;
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.end_hold_by_hand (
  user_id           uuid,
  hold_reference_id text,
  operator          text,
  reason            text,
  reference_id      text
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_request constant jsonb := jsonb_build_object(
    'user_id', end_hold_by_hand.user_id,
    'hold_reference_id', end_hold_by_hand.hold_reference_id
  );
  v_user public.users;
  v_before jsonb;
  v_hold public.holds;
begin
  select r.outcome, r.result into outcome, result
  from private.repeated_action('end-hold', end_hold_by_hand.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  v_user := private.lock_account(end_hold_by_hand.user_id);
  v_before := private.account_state(v_user);
  select h.* into v_hold from public.holds h
  where h.user_id = v_user.id and h.reference_id = end_hold_by_hand.hold_reference_id
    and h.state = 'open';
  if v_user.id is null then
    outcome := 'user_not_found';
  elsif v_hold.user_id is null then
    outcome := case
      when (private.find_charge(v_user.id, end_hold_by_hand.hold_reference_id)).user_id is null
      then 'hold_not_found'
      else 'hold_captured'
    end;
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  v_hold := private.end_hold(v_hold, 'released');
  select u.* into strict v_user from public.users u where u.id = v_user.id;
  outcome := 'done';
  result := jsonb_build_object('released_credits', v_hold.credits);
  perform private.record_action(
    'end-hold', end_hold_by_hand.operator, end_hold_by_hand.reason,
    reference_id => end_hold_by_hand.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.export_statement (
  user_id     uuid,
  max_entries integer,
  since       timestamp with time zone DEFAULT '-infinity'::timestamp WITH time zone,
  until       timestamp with time zone DEFAULT 'infinity'::timestamp WITH time zone
)
  RETURNS TABLE (
    outcome         text,
    opening_balance integer,
    closing_balance integer,
    entries         jsonb
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_before integer := 0;
  v_last integer := 0;
begin
  if not exists (select from public.users u where u.id = export_statement.user_id) then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  -- A period is a part of the history without gaps, even if the server's clock was set back within it,
  -- so that the statement adds up.
  opening_balance := 0;
  select t.sequence_number, t.balance_after into v_before, opening_balance
  from public.credit_transactions t
  where t.user_id = export_statement.user_id and t.created_at < export_statement.since
  order by t.sequence_number desc
  limit 1;
  v_before := coalesce(v_before, 0);
  opening_balance := coalesce(opening_balance, 0);

  select t.sequence_number, t.balance_after into v_last, closing_balance
  from public.credit_transactions t
  where t.user_id = export_statement.user_id and t.created_at < export_statement.until
  order by t.sequence_number desc
  limit 1;
  v_last := greatest(v_before, v_last);
  closing_balance := coalesce(closing_balance, opening_balance);

  if v_last - v_before > export_statement.max_entries then
    outcome := 'too_many_entries';
    return next;
    return;
  end if;

  outcome := 'exported';
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'sequence_number', t.sequence_number,
        'created_at', t.created_at,
        'action', t.action,
        'credits', t.credits,
        'source', t.source,
        'reference_id', t.reference_id,
        'balance_after', t.balance_after
      )
      order by t.sequence_number
    ),
    '[]'
  ) into entries
  from public.credit_transactions t
  where t.user_id = export_statement.user_id
    and t.sequence_number > v_before and t.sequence_number <= v_last;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."export_statement"(uuid, integer, timestamp WITH time zone, timestamp WITH time zone) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.find_customers (
  search        text,
  phone_numbers text[] DEFAULT '{}'::text[]
)
  RETURNS TABLE (
    customers        jsonb,
    unclaimed_orders jsonb
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  with searched (id) as (
    -- A user id, our order id, or a receipt, which is the order's id without hyphens.
    select case
      when replace($1, '-', '') ~* '^[0-9a-f]{32}$' then replace($1, '-', '')::uuid
    end
  ),
  -- Each kind of id has an index of its own, so each is looked up by itself.
  found_orders (id) as (
    select o.id from searched s join public.payment_orders o on o.id = s.id
    union
    select o.id from public.payment_orders o where o.razorpay_order_id = $1
    union
    select o.id from public.payment_orders o where o.razorpay_payment_link_id = $1
    union
    select p.order_id from public.payments p where p.id = $1
    union
    select p.order_id
    from public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    where r.id = $1
    union
    (select r.order_id from public.order_references r where r.reference_id = $1 limit 100)
    union
    -- Orders of numbers that are no customers' yet.
    (
      select o.id from public.payment_orders o
      where o.phone_number = any ($2) and o.user_id is null
      order by o.created_at desc
      limit 20
    )
    union
    (
      select o.id from public.payment_orders o
      where o.whatsapp_user_id = $1 and o.user_id is null
      order by o.created_at desc
      limit 20
    )
  ),
  owned_orders as (
    select o.*,
      coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id)) as owner_id
    from found_orders f
    join public.payment_orders o on o.id = f.id
  ),
  found_users (id) as (
    select s.id from searched s
    union
    select i.user_id from public.identities i where i.kind = 'phone' and i.value = any ($2)
    union
    select i.user_id from public.identities i where i.kind = 'whatsapp_user_id' and i.value = $1
    union
    select o.owner_id from owned_orders o
    union
    select a.user_id from public.operator_actions a where a.reference_id = $1
  ),
  -- A merged account leads to the one that has its credits.
  accounts as (
    select u.* from public.users u
    where u.id in (
      select coalesce(named.merged_into, named.id)
      from found_users f
      join public.users named on named.id = f.id
    )
    order by u.created_at, u.id
    limit 10
  )
  select
    coalesce(
      (select jsonb_agg(private.customer_details(a) order by a.created_at, a.id) from accounts a),
      '[]'
    ),
    coalesce(
      (
        select jsonb_agg(private.order_details(o.id) order by o.created_at desc)
        from (
          select o.id, o.created_at from owned_orders o
          where o.owner_id is null
          order by o.created_at desc
          limit 20
        ) o
      ),
      '[]'
    );
$function$;

REVOKE ALL ON FUNCTION "public"."find_customers"(text, text[]) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.finish_refund (
  reference_id text,
  refund       jsonb DEFAULT NULL::jsonb,
  refusal      text  DEFAULT NULL::text
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_asked public.operator_actions;
  v_payment public.payments;
  v_order public.payment_orders;
  v_user public.users;
  v_before jsonb;
begin
  if num_nonnulls(finish_refund.refund, finish_refund.refusal) <> 1 then
    raise exception 'Razorpay either made a refund or refused it'
      using errcode = 'invalid_parameter_value';
  end if;

  select a.* into v_asked from public.operator_actions a
  where a.reference_id = finish_refund.reference_id and a.outcome = 'asked';
  select r.outcome, r.result into outcome, result
  from private.repeated_action('refund-payment', finish_refund.reference_id, v_asked.request) r;
  if outcome is distinct from 'asked' then
    return next;
    return;
  end if;

  select p.* into strict v_payment from public.payments p where p.id = v_asked.payment_id;
  select o.* into strict v_order from public.payment_orders o where o.id = v_payment.order_id;
  v_user := private.lock_account(v_order.user_id);
  v_before := private.account_state(v_user);

  if finish_refund.refund is null then
    outcome := 'refused';
    result := jsonb_build_object('refusal', finish_refund.refusal);
  else
    outcome := 'refunded';
    result := jsonb_build_object(
      'refund_id', finish_refund.refund -> 'id',
      'status', finish_refund.refund -> 'status',
      'amount_paise', finish_refund.refund -> 'amount_paise'
    );
    perform public.settle_payment(
      v_order.razorpay_order_id, v_payment.id, v_payment.status, v_payment.amount_paise,
      v_payment.currency, jsonb_build_array(finish_refund.refund)
    );
  end if;

  select u.* into v_user from public.users u where u.id = v_user.id;
  perform private.record_action(
    'refund-payment', v_asked.operator, v_asked.reason, outcome,
    user_id => v_user.id, order_id => v_order.id, payment_id => v_payment.id,
    before => v_before, after => private.account_state(v_user), result => result,
    completes => v_asked.id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."finish_refund"(text, jsonb, text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.forgive_debt (
  user_id      uuid,
  operator     text,
  reason       text,
  reference_id text,
  credits      integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_request constant jsonb :=
    jsonb_build_object('user_id', forgive_debt.user_id, 'credits', forgive_debt.credits);
  v_user public.users;
  v_before jsonb;
  v_debt private.debts;
  v_left integer := forgive_debt.credits;
  v_forgiven integer;
begin
  if forgive_debt.credits < 1 then
    raise exception 'at least one credit is forgiven' using errcode = 'invalid_parameter_value';
  end if;

  select r.outcome, r.result into outcome, result
  from private.repeated_action('forgive-debt', forgive_debt.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  v_user := private.lock_account(forgive_debt.user_id);
  if v_user.id is null then
    outcome := 'user_not_found';
    return next;
    return;
  end if;
  v_before := private.account_state(v_user);

  for v_debt in
    select d.* from private.debts d
    where d.user_id = v_user.id
    order by d.created_at, d.reference_id
  loop
    v_forgiven := least(v_left, v_debt.credits_owed);
    exit when v_forgiven = 0;
    perform private.reduce_debt(v_debt, v_forgiven, is_forgiven => true);
    v_left := v_left - v_forgiven;
  end loop;

  select u.* into strict v_user from public.users u where u.id = v_user.id;
  outcome := 'done';
  result := jsonb_build_object('user_id', v_user.id, 'debt_credits', v_user.debt_credits);
  perform private.record_action(
    'forgive-debt', forgive_debt.operator, forgive_debt.reason,
    reference_id => forgive_debt.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.freeze_user (
  user_id      uuid,
  operator     text,
  reason       text,
  reference_id text
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
begin
  return query select f.outcome, f.result
  from private.set_frozen(
    freeze_user.user_id, true, freeze_user.operator, freeze_user.reason,
    freeze_user.reference_id
  ) f;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."freeze_user"(uuid, text, text, text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.get_user (
  phone_number     text DEFAULT NULL::text,
  whatsapp_user_id text DEFAULT NULL::text,
  caller_address   text DEFAULT NULL::text
)
  RETURNS TABLE (
    outcome             text,
    user_id             uuid,
    credits             integer,
    created_at          timestamp with time zone,
    retry_after_seconds integer,
    remaining_credits   integer,
    reserved_credits    integer,
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
  -- Anyone who can reach a page could otherwise farm free credits with made-up numbers.
  if get_user.caller_address is not null
    and private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null
  then
    -- Another first contact may be under way. Wait for it before counting anything.
    perform private.lock_identities(get_user.phone_number, get_user.whatsapp_user_id);
    if private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits('create_user', get_user.caller_address) c;
      if v_exceeded_scope is not null then
        outcome := 'rate_limited';
        return next;
        return;
      end if;
    end if;
  end if;

  v_user := private.ensure_user(get_user.phone_number, get_user.whatsapp_user_id);
  return query select 'found', v_user.id, v_user.credits, v_user.created_at, 0,
    private.remaining_credits(v_user), private.reserved_credits(v_user),
    v_user.frozen_at is not null;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text) FROM PUBLIC, "anon", "authenticated";

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

CREATE OR REPLACE FUNCTION public.list_violations()
  RETURNS TABLE (
    violations jsonb,
    checked_at timestamp with time zone
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  select
    (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'invariant', v.invariant,
          'subject', v.subject,
          'detail', v.detail,
          'found_at', v.found_at
        )
        order by v.found_at, v.id
      ), '[]')
      from (
        select v.* from public.book_violations v
        where v.gone_at is null
        order by v.found_at, v.id
        limit 1000
      ) v
    ),
    (select c.checked_at from public.book_checks c order by c.id desc limit 1);
$function$;

REVOKE ALL ON FUNCTION "public"."list_violations"() FROM PUBLIC, "anon", "authenticated";

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
      if v_from.id is null or v_into.id is null then
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

CREATE OR REPLACE FUNCTION public.merge_users_by_hand (
  from_user_id uuid,
  into_user_id uuid,
  operator     text,
  reason       text,
  reference_id text
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_request constant jsonb := jsonb_build_object(
    'from_user_id', merge_users_by_hand.from_user_id,
    'into_user_id', merge_users_by_hand.into_user_id
  );
  v_before jsonb;
  v_outcome text;
begin
  select r.outcome, r.result into outcome, result
  from private.repeated_action('merge-users', merge_users_by_hand.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  -- The locks of merge_users, in its order, so that the state before is the one that it finds. If they
  -- deadlock with a deduction, the call is rolled back as a whole and made again.
  perform from public.users u
  where u.id in (merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id)
    or u.merged_into = merge_users_by_hand.from_user_id
  order by u.id
  for no key update;
  v_before := private.states_of_two(
    merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id
  );

  v_outcome := public.merge_users(
    merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id
  );
  if v_outcome not in ('merged', 'replayed') then
    outcome := v_outcome;
    return next;
    return;
  end if;

  outcome := 'done';
  result := jsonb_build_object('outcome', v_outcome);
  perform private.record_action(
    'merge-users', merge_users_by_hand.operator, merge_users_by_hand.reason,
    reference_id => merge_users_by_hand.reference_id, request => v_request,
    user_id => merge_users_by_hand.into_user_id, before => v_before,
    after => private.states_of_two(
      merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id
    ),
    result => result
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.reserve_credits (
  phone_number       text    DEFAULT NULL::text,
  whatsapp_user_id   text    DEFAULT NULL::text,
  reference_id       text    DEFAULT NULL::text,
  action             text    DEFAULT NULL::text,
  quantity           integer DEFAULT NULL::integer,
  credits            integer DEFAULT NULL::integer,
  expires_in_seconds integer DEFAULT NULL::integer
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
    perform private.ensure_user(reserve_credits.phone_number, reserve_credits.whatsapp_user_id);
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
    private.lock_user(reserve_credits.phone_number, reserve_credits.whatsapp_user_id)
  );
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
    and h.state = case when v_charge.user_id is null then 'open' else 'captured' end;
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

CREATE OR REPLACE FUNCTION public.unfreeze_user (
  user_id      uuid,
  operator     text,
  reason       text,
  reference_id text
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
begin
  return query select f.outcome, f.result
  from private.set_frozen(
    unfreeze_user.user_id, false, unfreeze_user.operator, unfreeze_user.reason,
    unfreeze_user.reference_id
  ) f;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text) FROM PUBLIC, "anon", "authenticated";

ALTER TABLE "public"."adjustments"
  ADD CONSTRAINT "adjustments_user_id_fkey" FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE "public"."operator_actions"
  ADD CONSTRAINT "a_reference_is_kept_with_its_request" CHECK (((reference_id IS NULL) = (request IS NULL)));

ALTER TABLE "public"."operator_actions"
  ADD CONSTRAINT "action_is_named_after_its_function" CHECK ((action ~ '^[a-z]+(-[a-z]+)*$'::text));

ALTER TABLE "public"."operator_actions"
  ADD CONSTRAINT "operator_actions_completes_fkey" FOREIGN KEY (completes) REFERENCES public.operator_actions(id);

ALTER TABLE "public"."operator_actions"
  ADD CONSTRAINT "operator_actions_payment_id_fkey" FOREIGN KEY (payment_id) REFERENCES public.payments(id);

ALTER TABLE "public"."operator_actions"
  ADD CONSTRAINT "operator_actions_user_id_fkey" FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE "public"."payment_reversals"
  ADD CONSTRAINT "nobody_owes_more_than_was_taken" CHECK (((credits_owed >= 0) AND (credits_forgiven >= 0) AND ((credits_owed + credits_forgiven) <= credits_taken)));

CREATE VIEW "private"."debts" AS  SELECT o.user_id,
    r.kind AS source,
    r.id AS reference_id,
    r.credits_owed,
    r.created_at
   FROM ((public.payment_reversals r
     JOIN public.payments p ON ((p.id = r.payment_id)))
     JOIN public.payment_orders o ON ((o.id = p.order_id)))
  WHERE (r.credits_owed > 0)
UNION ALL
 SELECT a.user_id,
    'adjustment'::text AS source,
    a.reference_id,
    a.credits_owed,
    a.created_at
   FROM public.adjustments a
  WHERE (a.credits_owed > 0);

CREATE OR REPLACE FUNCTION private.reduce_debt (
  debt        private.debts,
  credits     integer,
  is_forgiven boolean
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_forgiven constant integer := case when is_forgiven then credits else 0 end;
begin
  if (debt).source = 'adjustment' then
    update public.adjustments a
    set credits_owed = a.credits_owed - reduce_debt.credits,
        credits_forgiven = a.credits_forgiven + v_forgiven
    where a.reference_id = (debt).reference_id;
  else
    update public.payment_reversals r
    set credits_owed = r.credits_owed - reduce_debt.credits,
        credits_forgiven = r.credits_forgiven + v_forgiven
    where r.id = (debt).reference_id;
  end if;
  update public.users u set debt_credits = u.debt_credits - reduce_debt.credits
  where u.id = (debt).user_id;
end;
$function$;

CREATE INDEX adjustments_by_change ON public.adjustments USING btree (changed_at);

CREATE INDEX adjustments_of_a_user ON public.adjustments USING btree (user_id);

CREATE INDEX adjustments_with_a_debt ON public.adjustments USING btree (user_id)
  WHERE (credits_owed > 0);

CREATE UNIQUE INDEX one_action_per_reference ON public.operator_actions USING btree (reference_id)
  WHERE (reference_id IS NOT NULL);

CREATE UNIQUE INDEX one_completion_per_action ON public.operator_actions USING btree (completes)
  WHERE (completes IS NOT NULL);

CREATE INDEX operator_actions_on_a_payment ON public.operator_actions USING btree (payment_id)
  WHERE (payment_id IS NOT NULL);

CREATE INDEX operator_actions_on_a_user ON public.operator_actions USING btree (user_id)
  WHERE (user_id IS NOT NULL);

CREATE INDEX operator_actions_that_asked ON public.operator_actions USING btree (created_at)
  WHERE (outcome = 'asked'::text);

CREATE TRIGGER adjustments_note_their_change
  BEFORE INSERT OR UPDATE ON public.adjustments
  FOR EACH ROW
  EXECUTE FUNCTION private.note_change();

COMMENT ON COLUMN "public"."adjustments"."changed_at" IS 'When the row was last written.';

COMMENT ON COLUMN "public"."adjustments"."credits" IS 'The difference that was asked for. The ledger holds it plus credits_owed plus credits_forgiven.';

COMMENT ON COLUMN "public"."adjustments"."credits_forgiven" IS 'The part of a negative one that was owed and that an operator forgave.';

COMMENT ON COLUMN "public"."adjustments"."credits_owed" IS 'The part of a negative one that the user had already spent and has not paid off yet.';

COMMENT ON COLUMN "public"."adjustments"."user_id" IS 'The account that owes what is owed: after a merge, the one that stayed.';

COMMENT ON COLUMN "public"."operator_actions"."action" IS 'The Edge Function that was called.';

COMMENT ON COLUMN "public"."operator_actions"."completes" IS 'The row that says what was asked of Razorpay, if this one says what came of it.';

COMMENT ON COLUMN "public"."operator_actions"."reference_id" IS 'Makes the call safe to repeat: the same request again gets the same result, another one is refused. Null for settle-order, which is safe anyway, and in a row that completes another.';

COMMENT ON COLUMN "public"."operator_actions"."request" IS 'What was asked for, without operator and reason. A repeated call is compared with it.';

COMMENT ON COLUMN "public"."operator_actions"."result" IS 'What the call returned, which a repeated call returns again.';

COMMENT ON COLUMN "public"."operator_actions"."user_id" IS 'Whose account it is about, as it was then: the account may have been merged since.';

COMMENT ON COLUMN "public"."payment_reversals"."credits_forgiven" IS 'The part of credits_taken that the user owed and that an operator forgave.';

COMMENT ON COLUMN "public"."payment_reversals"."credits_taken" IS 'Credits that this reversal revokes; the ledger holds credits_taken minus credits_owed minus credits_forgiven of them.';

COMMENT ON COLUMN "public"."users"."frozen_at" IS 'Since when an operator keeps the account from spending. Null if it may spend.';

COMMENT ON FUNCTION "private"."account_state"(public.users) IS 'Holds nothing by which somebody could be recognized.';

COMMENT ON FUNCTION "private"."changed_users"(timestamp with time zone, timestamp with time zone, uuid[]) IS 'Part of check_changes. Those with new entries, holds that opened or ended, adjustments that changed, new users, those with a new identity, and the owners of order_ids; and the accounts that were merged into any of them. Not those whose row alone has changed.';

COMMENT ON FUNCTION "private"."check_adjustments"(timestamp with time zone, timestamp with time zone, uuid[]) IS 'Part of check_scope. Reads the adjustments of user_ids with their entries; and the histories of user_ids or, with since, the entries of that time.';

COMMENT ON FUNCTION "private"."customer_details"(public.users) IS 'Part of find_customers. The newest 20 of everything that grows, and the 50 holds that expire next.';

COMMENT ON FUNCTION "private"."lock_account"(uuid) IS 'Null if there is no such user. None of its holds has expired.';

COMMENT ON FUNCTION "private"."order_details"(uuid) IS 'Part of find_customers. The newest 20 payments: an order may see any number of failed ones.';

COMMENT ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint) IS 'In the transaction of the action itself, after private.repeated_action has found nothing.';

COMMENT ON FUNCTION "private"."reduce_debt"(private.debts, integer, boolean) IS 'The user is locked. The ledger''s entry for what was paid off is up to the caller.';

COMMENT ON FUNCTION "private"."repeated_action"(text, text, jsonb) IS 'To be called before anything is locked. outcome: null if the reference is new; replayed (the same request, with the result of the first call); reference_reused (another request); or, where Razorpay was asked, what came of it: asked as long as that is not known.';

COMMENT ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text) IS 'See freeze_user and unfreeze_user.';

COMMENT ON FUNCTION "private"."states_of_two"(uuid, uuid) IS 'See private.account_state.';

COMMENT ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean) IS 'One row. credits is a difference. A positive one pays debts first. outcome: done and replayed, with result {user_id, credits, debt_credits}; reference_reused; user_not_found; not_enough_credits (a negative one exceeds what is not reserved, and allow_debt is false); too_many_credits (the balance or the debt would exceed a billion). Only done changes anything.';

COMMENT ON FUNCTION "public"."ask_refund"(text, text, text, text, integer) IS 'One row. amount_paise: all that is left if left out. outcome: asking (recorded: ask Razorpay now for refund_paise, with refund_key as its idempotency key and receipt, and report to finish_refund); asked (recorded before, and what came of it is not known: look for it at Razorpay, and ask again); refunded and refused (what came of it before, with the result of finish_refund); reference_reused; payment_not_found; payment_not_captured; refund_exceeds_payment (more than is left after what was refunded, lost in disputes and asked for). Only asking changes anything.';

COMMENT ON FUNCTION "public"."capture_credits"(text, text, text, integer, integer) IS 'One row. In the unit of the reservation, quantity or credits; neither is all of it, and none of it releases it. outcome: captured (is_late: after the hold had expired, and charged anew); replayed (captured before: the figures are those of the first call); reference_reused (charged before, another amount); hold_not_found; hold_released; hold_expired (and too few credits are left); account_frozen (and the hold has expired); wrong_unit; capture_exceeds_hold. Only captured changes anything.';

COMMENT ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer) IS 'One row. Either credits or a quantity of the action''s unit; neither is a quantity of 1. outcome: deducted; replayed (the reference was charged before: remaining_credits is what the first call returned); reference_reused (charged before for another request); reference_held (reserved and not captured); account_frozen; action_not_found (unknown, retired, or not priced yet); too_many_credits (more than one call may spend); insufficient_credits (needed_credits exceed remaining_credits, which are besides reserved_credits). Only deducted changes anything.';

COMMENT ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text) IS 'One row. outcome: done and replayed, with result {released_credits}; reference_reused; user_not_found; hold_captured (charged, by a capture or by a deduction); hold_not_found (none is open under hold_reference_id: it may have been released or have expired). Only done changes anything.';

COMMENT ON FUNCTION "public"."export_statement"(uuid, integer, timestamp with time zone, timestamp with time zone) IS 'One row. since is part of the period, until is not. outcome: exported; user_not_found; too_many_entries (more than max_entries). Of an account that was merged into another one, its own history until then.';

COMMENT ON FUNCTION "public"."find_customers"(text, text[]) IS 'One row. search: a user id, WhatsApp user id, Razorpay order, payment, payment link, refund or dispute id, our order id or receipt, the reference of a payment link or of an operator''s action. phone_numbers: E.164, the readings of what was searched for. customers: at most 10. unclaimed_orders: those of numbers that are no customers'' yet, at most 20.';

COMMENT ON FUNCTION "public"."finish_refund"(text, jsonb, text) IS 'One row. refund: as a reversal of settle_payment, which books it. refusal: why Razorpay made none. outcome: refunded, with result {refund_id, status, amount_paise}, or refused, with result {refusal}: of this call, or of an earlier one for the same reference.';

COMMENT ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer) IS 'One row. credits: the most that is forgiven, oldest debt first; all of it if left out. No entry in the ledger: a debt is not part of the balance. outcome: done and replayed, with result {user_id, debt_credits}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON FUNCTION "public"."freeze_user"(uuid, text, text, text) IS 'One row. Also done where the account was frozen before. outcome: done and replayed, with result {user_id, frozen}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON FUNCTION "public"."get_user"(text, text, text) IS 'The user of a phone number (E.164) or a WhatsApp user id, created on first contact. One row. outcome: found; rate_limited (too many unknown numbers from caller_address or in total; nothing was created).';

COMMENT ON FUNCTION "public"."list_attention"() IS 'kind: flagged payment (refund it in Razorpay''s dashboard); debt; unfinished refund (call refund-payment again with the same reference); open order (older than 15 minutes, still watched, and somebody tried to pay it); failed delivery; payment of no order (captured money that belongs to no order of ours: until it is booked or refunded, for 30 days); limit reached (a limit for everybody together, until its window ends); broken invariant (found by run_book_check, until it is found no more); books unchecked (run_book_check fails or is no longer called).';

COMMENT ON FUNCTION "public"."list_violations"() IS 'One row. At most 1,000 violations, oldest first. checked_at: of the newest run; null if there was none.';

COMMENT ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text) IS 'One row. outcome: done and replayed, with result {outcome}, which is merged or replayed as in merge_users; reference_reused; same_user, user_not_found and merged_before as in merge_users. Only done changes anything.';

COMMENT ON FUNCTION "public"."reserve_credits"(text, text, text, text, integer, integer, integer) IS 'One row. Either credits or a quantity of the action''s unit; neither is a quantity of 1. expires_in_seconds: 600 if left out. outcome: reserved; replayed (reserved before: the figures are those of the first call, and state is open or captured, as it is now); reference_reused (reserved before for another request, or charged by a deduction); account_frozen; action_not_found and too_many_credits as in deduct_credits; too_many_holds (open at the same time); insufficient_credits (needed_credits exceed remaining_credits, which are besides reserved_credits, the sum of the user''s holds). Only reserved changes anything.';

COMMENT ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text) IS 'One row. Also done where the account was not frozen. outcome: done and replayed, with result {user_id, frozen}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON TABLE "public"."adjustments" IS 'Credits that an operator gave or took. The ledger holds them as entries of source adjustment with this reference: more than one, where a part was taken later because it had been spent.';

COMMENT ON TABLE "public"."operator_actions" IS 'What operators did: who, what, to whom and why, with the state before and after. Written in the same transaction as the action itself.';

COMMENT ON VIEW "private"."debts" IS 'One row for each refund, dispute or adjustment that took credits which were already spent.';

REVOKE ALL ON FUNCTION "private"."account_state"(public.users) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."account_state"(public.users) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."account_state"(public.users) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_adjustments"(timestamp WITH time zone, timestamp WITH time zone, uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_adjustments"(timestamp WITH time zone, timestamp WITH time zone, uuid[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_adjustments"(timestamp WITH time zone, timestamp WITH time zone, uuid[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."customer_details"(public.users) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."customer_details"(public.users) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."customer_details"(public.users) TO "postgres";

REVOKE ALL ON FUNCTION "private"."lock_account"(uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."lock_account"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."lock_account"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."order_details"(uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."order_details"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."order_details"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint) TO "postgres";

REVOKE ALL ON FUNCTION "private"."reduce_debt"(private.debts, integer, boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."reduce_debt"(private.debts, integer, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."reduce_debt"(private.debts, integer, boolean) TO "postgres";

REVOKE ALL ON FUNCTION "private"."repeated_action"(text, text, jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."repeated_action"(text, text, jsonb) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."repeated_action"(text, text, jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."states_of_two"(uuid, uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."states_of_two"(uuid, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."states_of_two"(uuid, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."ask_refund"(text, text, text, text, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."ask_refund"(text, text, text, text, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."ask_refund"(text, text, text, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."export_statement"(uuid, integer, timestamp WITH time zone, timestamp WITH time zone) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."export_statement"(uuid, integer, timestamp WITH time zone, timestamp WITH time zone) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."export_statement"(uuid, integer, timestamp WITH time zone, timestamp WITH time zone) TO "service_role";

REVOKE ALL ON FUNCTION "public"."find_customers"(text, text[]) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_customers"(text, text[]) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_customers"(text, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."finish_refund"(text, jsonb, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."finish_refund"(text, jsonb, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."finish_refund"(text, jsonb, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."freeze_user"(uuid, text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."freeze_user"(uuid, text, text, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."freeze_user"(uuid, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_violations"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_violations"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_violations"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text) TO "service_role";
