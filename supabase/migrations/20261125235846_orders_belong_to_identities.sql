-- An order belongs to the identity it was placed for, and meets its user when it is paid. Limits treat
-- strangers alike, and never refuse the owner of a number for what strangers did. The books are checked
-- in linear time, and what operators and the scheduler call uses indexes.
--
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP INDEX "public"."payment_orders_of_a_user";

DROP INDEX "public"."payment_orders_to_check";

ALTER TABLE "public"."order_references"
  DROP CONSTRAINT "order_references_pkey";

ALTER TABLE "public"."rate_limits"
  DROP CONSTRAINT "scope_is_known";

DROP FUNCTION "private"."count_against_limits"(text, text, text, uuid);

DROP FUNCTION "private"."pay_order"(uuid);

DROP FUNCTION "public"."delete_expired_rate_counters"();

DROP FUNCTION "public"."find_order"(text, text, text);

DROP FUNCTION "public"."place_order"(text, text, text, text, text, text, text);

ALTER TABLE "public"."payment_orders"
  ALTER COLUMN "next_check_at" DROP DEFAULT;

ALTER TABLE "public"."payment_orders"
  ADD COLUMN "phone_number" text;

ALTER TABLE "public"."payment_orders"
  ADD COLUMN "whatsapp_user_id" text;

ALTER TABLE "public"."payment_orders"
  ADD COLUMN "tried_at" timestamp WITH time zone;

ALTER TABLE "public"."payment_orders"
  ADD COLUMN "checked_at" timestamp WITH time zone;

ALTER TABLE "public"."payment_orders"
  ADD COLUMN "placed_by" text;

ALTER TABLE "public"."payment_orders"
  ALTER COLUMN "user_id" DROP NOT NULL;

-- By hand: what the rows of 1.0.0 lack. Orders that wait for their payment get the identities of their
-- account, or of the one it was merged into, and lose the account. Orders that Razorpay does not know
-- are no longer asked about, and paid ones are, even if they were paid late. Calls about orders wait
-- meanwhile, and fail if that takes longer than their lock_timeout; deductions go on.
update public.payment_orders o
set phone_number = coalesce(home.phone_number, known.phone_number),
    whatsapp_user_id = known.whatsapp_user_id,
    user_id = case when o.state = 'paid' then o.user_id end,
    next_check_at = case
      when num_nonnulls(o.razorpay_order_id, o.razorpay_payment_link_id) = 0 then null
      when o.state = 'paid' and o.paid_at > clock_timestamp() - interval '180 days'
        then coalesce(o.next_check_at, clock_timestamp())
      else o.next_check_at
    end,
    tried_at = (
      select min(p.created_at) from public.payments p where p.order_id = o.id
    ),
    -- Older orders were checked before.
    checked_at = case
      when o.created_at < clock_timestamp() - interval '10 minutes' then clock_timestamp()
    end
from public.users u
join public.users home on home.id = coalesce(u.merged_into, u.id)
cross join lateral (
  select
    min(i.value) filter (where i.kind = 'phone') as phone_number,
    min(i.value) filter (where i.kind = 'whatsapp_user_id') as whatsapp_user_id
  from public.identities i
  where i.user_id in (u.id, home.id)
) known
where u.id = o.user_id;

-- From here on, generated again.

CREATE OR REPLACE FUNCTION private.check_accounts()
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text
  )
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  select 'every identity of a user is its own, and its number is one of them', 'user ' || u.id,
    format('number %s, %s identities, merged into %s', coalesce(u.phone_number, 'none'),
      count(i.value), coalesce(u.merged_into::text, 'none'))
  from public.users u
  left join public.identities i on i.user_id = u.id
  group by u.id
  having (count(i.value) = 0) <> (u.merged_into is not null)
    or u.phone_number is not null
      and count(*) filter (where i.kind = 'phone' and i.value = u.phone_number) = 0
    or u.phone_number is null and count(*) filter (where i.kind = 'phone') > 0

  union all
  select 'a merged account is empty', 'user ' || u.id,
    format('%s credits, %s owed', u.credits, u.debt_credits)
  from public.users u
  where u.merged_into is not null and (u.credits > 0 or u.debt_credits > 0)

  union all
  select 'a merged account leads to the current account in one step', 'user ' || u.id,
    format('merged into %s, which is merged into %s', u.merged_into, next.merged_into)
  from public.users u
  join public.users next on next.id = u.merged_into
  where next.merged_into is not null

  union all
  select 'no order, reference or identity belongs to a merged account', owned.subject,
    format('user %s is merged into %s', u.id, u.merged_into)
  from public.users u
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
      u.credits)
  from public.users u
  left join public.payment_orders o on o.user_id = u.id
  left join public.payments p on p.order_id = o.id
  left join public.payment_reversals r on r.payment_id = p.id
  group by u.id
  having u.debt_credits <> coalesce(sum(r.credits_owed), 0)
    or u.debt_credits > 0 and u.credits > 0;
$function$;

CREATE OR REPLACE FUNCTION private.check_ledger()
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text
  )
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  with ledger as (
    select
      t.id, t.user_id, t.action, t.credits, t.sequence_number, t.balance_after,
      case t.action when 'credit' then t.credits else -t.credits end as delta,
      lag(t.balance_after, 1, 0) over history as balance_before,
      lag(t.sequence_number, 1, 0) over history as previous_number
    from public.credit_transactions t
    window history as (partition by t.user_id order by t.sequence_number)
  ),
  totals as (
    select t.user_id,
      sum(case t.action when 'credit' then t.credits else -t.credits end) as credits,
      count(*) as entries
    from public.credit_transactions t
    group by t.user_id
  ),
  merges as (
    select t.id, t.user_id, t.action, t.credits, t.reference_id, t.sequence_number,
      o.id as other_id, o.merged_into as other_merged_into
    from public.credit_transactions t
    left join public.users o on o.id::text = right(t.reference_id, 36)
    where t.source = 'merge'
  )
  select
    'the balance is the sum of the ledger',
    'user ' || u.id,
    format('balance %s, ledger %s', u.credits, coalesce(t.credits, 0))
  from public.users u left join totals t on t.user_id = u.id
  where u.credits <> coalesce(t.credits, 0)

  union all
  select
    'the entries are counted',
    'user ' || u.id,
    format('count %s, entries %s', u.transaction_count, coalesce(t.entries, 0))
  from public.users u left join totals t on t.user_id = u.id
  where u.transaction_count <> coalesce(t.entries, 0)

  union all
  select
    'every entry follows from the one before it',
    'entry ' || l.id,
    format('number %s after %s, balance %s after %s and a %s of %s', l.sequence_number,
      l.previous_number, l.balance_after, l.balance_before, l.action, l.credits)
  from ledger l
  where l.balance_after <> l.balance_before + l.delta
    or l.sequence_number <> l.previous_number + 1

  union all
  select 'the welcome is given once, first, and to everybody', 'user ' || u.id,
    format('%s system entries', count(t.id))
  from public.users u
  left join public.credit_transactions t on t.user_id = u.id and t.source = 'system'
  group by u.id
  having count(t.id) <> 1 or min(t.sequence_number) <> 1

  union all
  select 'a merge moves what it takes', 'entry ' || m.id, format('%s %s', m.action, m.reference_id)
  from merges m
  where not exists (
    select from merges other
    where other.reference_id = case m.action
        when 'debit' then replace(left(m.reference_id, -36), 'into ', 'from ')
        else replace(left(m.reference_id, -36), 'from ', 'into ')
      end || m.user_id
      and other.credits = m.credits
  )

  union all
  select 'only a merged account gives its credits to another', 'entry ' || m.id,
    format('%s, but user %s is merged into %s', m.reference_id, u.id,
      coalesce(u.merged_into::text, 'none'))
  from merges m
  join public.users u on u.id = m.user_id
  where m.action = 'debit'
    -- The other one may itself have been merged since.
    and u.merged_into is distinct from coalesce(m.other_merged_into, m.other_id)

  union all
  -- Two accounts may each have charged a reference before they were merged, but never after.
  select 'a reference that a merged account has charged is not charged again', 'entry ' || again.id,
    format('reference %s', again.reference_id)
  from merges m
  join public.credit_transactions charged
    on charged.user_id = m.other_id
      and charged.source not in ('refund', 'dispute')
  join public.credit_transactions again
    on again.user_id = m.user_id
      and again.source = charged.source
      and again.reference_id = charged.reference_id
      and again.sequence_number > m.sequence_number
  where m.action = 'credit';
$function$;

CREATE OR REPLACE FUNCTION private.check_orders()
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text
  )
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  select
    'a paid order granted its credits once, to its user',
    'order ' || o.id,
    format('promised %s to %s, granted %s to %s', o.credits, o.user_id, coalesce(t.credits, 0),
      coalesce(t.user_id::text, 'nobody'))
  from public.payment_orders o
  -- Once, because one_grant_per_payment allows no second entry.
  left join public.credit_transactions t
    on t.source = 'payment' and t.reference_id = o.razorpay_payment_id
  left join public.users u on u.id = t.user_id
  where o.state = 'paid'
    and (t.id is null or t.credits <> o.credits or coalesce(u.merged_into, u.id) <> o.user_id)

  union all
  select 'a reference leads to an order of its user', 'reference ' || r.reference_id,
    format('of user %s, order %s is of user %s', r.user_id, o.id, owner.id)
  from public.order_references r
  join public.payment_orders o on o.id = r.order_id
  join public.users u on u.id = r.user_id
  -- An order that is not paid yet belongs to the user with its number or WhatsApp user id.
  cross join lateral (
    select coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id))
  ) owner (id)
  where coalesce(u.merged_into, u.id) is distinct from owner.id

  union all
  select 'an order knows whether somebody tried to pay it', 'order ' || o.id,
    format('tried at %s, %s payments', coalesce(o.tried_at::text, 'no time'), count(p.id))
  from public.payment_orders o
  left join public.payments p on p.order_id = o.id
  group by o.id
  having (o.tried_at is null) <> (count(p.id) = 0)

  union all
  select 'Razorpay is asked about an order as long as its money may move', 'order ' || o.id,
    format('%s since %s, and no check is planned', o.state, coalesce(o.paid_at, o.created_at))
  from public.payment_orders o
  where o.next_check_at is null
    and num_nonnulls(o.razorpay_order_id, o.razorpay_payment_link_id) > 0
    -- See finish_order_check.
    and coalesce(o.paid_at, o.created_at) > statement_timestamp()
      - case o.state when 'paid' then interval '180 days' else interval '6 days' end;
$function$;

CREATE OR REPLACE FUNCTION private.check_payments()
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text
  )
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  with money as (
    select
      p.*,
      -- The money that we hold, computed independently of private.net_paise, which decided about the
      -- credits.
      case
        -- It was reported as refunded before any refund was known that explains it.
        when p.status = 'refunded' and p.credits_granted = 0
          and p.amount_paise > coalesce(r.refund_paise, 0) then 0
        when p.status in ('captured', 'refunded') then
          greatest(p.amount_paise - coalesce(r.gone_paise, 0), 0)
        else 0
      end as net_paise
    from public.payments p
    left join (
      select r.payment_id,
        sum(r.amount_paise) filter (where r.is_money_gone) as gone_paise,
        sum(r.amount_paise) filter (where r.kind = 'refund' and r.status <> 'pending')
          as refund_paise
      from public.payment_reversals r
      group by r.payment_id
    ) r on r.payment_id = p.id
  ),
  -- The entries that grants and their consequences write, numbered so that entries that directly follow
  -- a grant can be told from later ones.
  settled as (
    select t.user_id, t.source, t.reference_id, t.sequence_number, t.balance_after,
      t.sequence_number - row_number() over history as offset_of_place,
      count(*) filter (where t.source = 'payment') over history as grants_so_far
    from public.credit_transactions t
    where t.source in ('payment', 'refund', 'dispute')
    window history as (partition by t.user_id order by t.sequence_number)
  )
  select 'every payment entry belongs to a payment of a paid order', 'entry ' || t.id,
    format('reference %s', t.reference_id)
  from public.credit_transactions t
  join public.users u on u.id = t.user_id
  left join public.payments p on p.id = t.reference_id and p.credits_granted = t.credits
  left join public.payment_orders o
    -- The user of a paid order: others have none.
    on o.id = p.order_id
      and o.user_id = coalesce(u.merged_into, u.id)
      and o.amount_paise = p.amount_paise and o.currency = p.currency
  where t.source = 'payment' and o.id is null

  union all
  select 'every grant is in the ledger, with the balance that it left', 'payment ' || p.id,
    format('granted %s and left %s', p.credits_granted, p.balance_after_grant)
  from public.payments p
  where p.credits_granted > 0 and not exists (
    select from settled grant_entry
    -- What was left may be counted after the debts and the reversals that were settled with the grant.
    join settled final
      on final.user_id = grant_entry.user_id
        and final.grants_so_far = grant_entry.grants_so_far
        and final.offset_of_place = grant_entry.offset_of_place
    where grant_entry.source = 'payment' and grant_entry.reference_id = p.id
      and final.balance_after = p.balance_after_grant
  )

  union all
  select 'a payment that granted credits had the money', 'payment ' || p.id,
    format('granted %s while %s, order %s grants %s', p.credits_granted, p.status, o.id, o.credits)
  from public.payments p
  join public.payment_orders o on o.id = p.order_id
  where p.credits_granted > 0
    and (p.credits_granted <> o.credits or p.status not in ('captured', 'refunded'))

  union all
  select 'one payment pays an order, and the others are flagged', 'payment ' || p.id,
    format('%s while %s, order %s is paid by %s', coalesce(p.flag, 'not flagged'), p.status, o.id,
      coalesce(o.razorpay_payment_id, 'none'))
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
    format('%s paise held, order %s is paid by %s', p.net_paise, o.id,
      coalesce(o.razorpay_payment_id, 'none'))
  from money p
  join public.payment_orders o
    on o.id = p.order_id and o.amount_paise = p.amount_paise and o.currency = p.currency
  left join money payer on payer.id = o.razorpay_payment_id
  where p.net_paise > 0 and coalesce(payer.net_paise, 0) = 0;
$function$;

CREATE OR REPLACE FUNCTION private.check_reversals()
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text
  )
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  with entries as (
    select t.reference_id, t.source, coalesce(u.merged_into, u.id) as user_id,
      sum(case t.action when 'debit' then t.credits else -t.credits end) as credits
    from public.credit_transactions t
    join public.users u on u.id = t.user_id
    where t.source in ('refund', 'dispute')
    group by t.reference_id, t.source, coalesce(u.merged_into, u.id)
  )
  select 'reversals take back what went back, and no more', 'payment ' || p.id,
    format('granted %s, taken %s, %s of %s paise gone', p.credits_granted,
      coalesce(sum(r.credits_taken), 0),
      coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0), p.amount_paise)
  from public.payments p
  join public.payment_orders o on o.id = p.order_id
  left join public.payment_reversals r on r.payment_id = p.id
  group by p.id, o.id
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
    format('taken %s, owed %s, ledger %s', r.credits_taken, r.credits_owed, coalesce(e.credits, 0))
  from public.payment_reversals r
  join public.payments p on p.id = r.payment_id
  join public.payment_orders o on o.id = p.order_id
  left join entries e
    on e.reference_id = r.id and e.source = r.kind and e.user_id = o.user_id
  where r.credits_taken - r.credits_owed <> coalesce(e.credits, 0)

  union all
  select 'every entry of a reversal belongs to one', 'entry ' || t.id,
    format('reference %s', t.reference_id)
  from public.credit_transactions t
  left join public.payment_reversals r on r.id = t.reference_id and r.kind = t.source
  where t.source in ('refund', 'dispute') and r.id is null;
$function$;

CREATE OR REPLACE FUNCTION private.count_against_limits (
  action   text,
  address  text                        DEFAULT NULL::text,
  identity text                        DEFAULT NULL::text,
  owner    text                        DEFAULT NULL::text,
  project  text                        DEFAULT 'all'::text,
  OUT      exceeded_scope text,
  OUT      retry_after_seconds integer
)
  RETURNS record
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_limit record;
  v_window_ends_at timestamptz;
begin
  -- Reading first means that refusals write nothing, however many there are.
  select e.scope, e.retry_after_seconds into exceeded_scope, retry_after_seconds
  from private.exceeded_limit(
    count_against_limits.action, count_against_limits.address, count_against_limits.owner,
    count_against_limits.project
  ) e;
  if found then
    return;
  end if;

  for v_limit in
    select l.scope, l.max_count, make_interval(secs => l.window_seconds) as period, s.subject
    from public.rate_limits l
    join (
      values
        ('address', count_against_limits.address),
        ('owner', count_against_limits.owner),
        ('phone', count_against_limits.identity),
        ('user', count_against_limits.identity),
        ('project', count_against_limits.project)
    ) s (scope, subject) on s.scope = l.scope
    where l.action = count_against_limits.action and s.subject is not null
    -- Counters are always locked in one order, so that no two calls wait for each other. The shared
    -- one comes last: what another limit refuses must not consume it for everyone else.
    order by l.scope = 'project', l.scope
  loop
    insert into public.rate_counters as c (action, scope, subject, window_ends_at, count)
    select count_against_limits.action, v_limit.scope, v_limit.subject,
      clock_timestamp() + v_limit.period, 1
    where v_limit.max_count > 0
    on conflict on constraint rate_counters_pkey do update
    set count = case when c.window_ends_at <= clock_timestamp() then 1 else c.count + 1 end,
        window_ends_at = case
          when c.window_ends_at <= clock_timestamp() then excluded.window_ends_at
          else c.window_ends_at
        end
    where c.count < v_limit.max_count or c.window_ends_at <= clock_timestamp();
    continue when found;

    select c.window_ends_at into v_window_ends_at from public.rate_counters c
    where c.action = count_against_limits.action
      and c.scope = v_limit.scope
      and c.subject = v_limit.subject;
    exceeded_scope := v_limit.scope;
    retry_after_seconds := greatest(
      ceil(extract(epoch from
        coalesce(v_window_ends_at - clock_timestamp(), v_limit.period))), 1
    );
    -- A refused call counts against the address only, not against the person it was about.
    update public.rate_counters c set count = c.count - 1
    where v_limit.scope = 'project'
      and c.action = count_against_limits.action
      and c.scope in ('phone', 'user')
      and c.subject = count_against_limits.identity;
    return;
  end loop;
end;
$function$;

CREATE OR REPLACE FUNCTION private.ensure_user (
  phone_number     text,
  whatsapp_user_id text DEFAULT NULL::text
)
  RETURNS public.users
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_free_credits constant integer := 3;
  v_is_our_turn boolean := false;
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

    begin
      if v_user.id is null then
        insert into public.users (phone_number, credits, transaction_count)
        values (ensure_user.phone_number, v_free_credits, 1)
        returning * into v_user;
        insert into public.credit_transactions
          (user_id, sequence_number, action, credits, source, reference_id, balance_after)
        values (v_user.id, 1, 'credit', v_free_credits, 'system', 'welcome', v_free_credits);
      else
        select u.* into strict v_user from public.users u where u.id = v_user.id for no key update;
        if v_user.merged_into is not null then
          raise exception 'the account was merged meanwhile' using errcode = 'serialization_failure';
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
      -- Start over, without the lock on the merged account.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$function$;

CREATE OR REPLACE FUNCTION private.exceeded_limit (
  action  text,
  address text DEFAULT NULL::text,
  owner   text DEFAULT NULL::text,
  project text DEFAULT 'all'::text
)
  RETURNS TABLE (
    scope               text,
    retry_after_seconds integer
  )
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  select
    l.scope,
    greatest(
      ceil(coalesce(extract(epoch from c.window_ends_at - clock_timestamp()), l.window_seconds)), 1
    )::integer
  from public.rate_limits l
  join (values ('address', $2), ('owner', $3), ('project', $4)) s (scope, subject)
    on s.scope = l.scope
  left join public.rate_counters c
    on c.action = l.action and c.scope = l.scope and c.subject = s.subject
      and c.window_ends_at > clock_timestamp()
  where l.action = $1 and s.subject is not null and coalesce(c.count, 0) >= l.max_count
  -- The limit for all comes first, so that everybody gets the same response.
  order by l.scope = 'project' desc, l.scope
  limit 1;
$function$;

CREATE OR REPLACE FUNCTION private.lock_identities (
  phone_number     text,
  whatsapp_user_id text DEFAULT NULL::text
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  -- Always in this order, so that two calls that name two identities never wait for each other.
  if lock_identities.phone_number is not null then
    perform pg_catalog.pg_advisory_xact_lock(
      pg_catalog.hashtextextended('phone ' || lock_identities.phone_number, 0)
    );
  end if;
  if lock_identities.whatsapp_user_id is not null then
    perform pg_catalog.pg_advisory_xact_lock(
      pg_catalog.hashtextextended('whatsapp_user_id ' || lock_identities.whatsapp_user_id, 0)
    );
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.lock_user (
  phone_number     text,
  whatsapp_user_id text
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
      v_user := private.ensure_user(lock_user.phone_number, lock_user.whatsapp_user_id);
      select u.* into strict v_user from public.users u where u.id = v_user.id for no key update;
      if v_user.merged_into is null then
        return v_user;
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

CREATE OR REPLACE FUNCTION private.net_paise (
  payment_id text
)
  RETURNS integer
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  select case
    -- Razorpay may report a payment as refunded before its refunds are final. If it has bought nothing
    -- yet, it buys nothing until all refunds behind that status are known, and known to have failed.
    when p.status = 'refunded' and p.credits_granted = 0 and p.amount_paise > coalesce((
      select sum(r.amount_paise) from public.payment_reversals r
      where r.payment_id = p.id and r.kind = 'refund' and r.status <> 'pending'
    ), 0) then 0
    when p.status in ('captured', 'refunded') then
      p.amount_paise - least(p.amount_paise, coalesce((
        select sum(r.amount_paise) from public.payment_reversals r
        where r.payment_id = p.id and r.is_money_gone
      ), 0))
    else 0
  end
  from public.payments p
  where p.id = $1;
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
  if v_order.state = 'paid' and private.net_paise(v_order.razorpay_payment_id) > 0 then
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
    when p.amount_paise = v_order.amount_paise and p.currency = v_order.currency
    then 'second_payment' else 'amount_mismatch'
  end
  where p.order_id = v_order.id
    and p.status in ('captured', 'refunded')
    and p.flag is null
    and (p.id <> v_payment_id
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
    update public.payments p
    set credits_granted = v_order.credits,
        balance_after_grant = private.collect_debts(pay_order.user_id),
        granted_at = clock_timestamp()
    where p.id = v_payment_id;
  end if;
  perform private.apply_reversals(pay_order.user_id, v_payment_id);
  if v_is_first_grant then
    -- The customer is told what is left, even if a part went back before the first report.
    update public.payments p
    set balance_after_grant = (select u.credits from public.users u where u.id = pay_order.user_id)
    where p.id = v_payment_id;
  end if;
  return true;
end;
$function$;

CREATE OR REPLACE FUNCTION private.record_reversal (
  payment_id text,
  reversal   jsonb
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_refund_steps constant text[] := array['pending', 'processed', 'failed'];
  v_dispute_steps constant text[] :=
    array['open', 'under_review', 'action_required', 'closed', 'lost', 'won'];
begin
  insert into public.payment_reversals as r
    (id, payment_id, kind, status, amount_paise, is_money_gone, reported_at)
  values (
    record_reversal.reversal ->> 'id',
    record_reversal.payment_id,
    record_reversal.reversal ->> 'kind',
    record_reversal.reversal ->> 'status',
    (record_reversal.reversal ->> 'amount_paise')::integer,
    (record_reversal.reversal ->> 'is_money_gone')::boolean,
    (record_reversal.reversal ->> 'reported_at')::timestamptz
  )
  on conflict (id) do update
  set status = excluded.status,
      amount_paise = excluded.amount_paise,
      is_money_gone = excluded.is_money_gone,
      reported_at = excluded.reported_at
  -- Reports arrive in any order. A refund only moves forward. For a dispute the newest report counts,
  -- because a lost one may still be won; Razorpay's times are whole seconds, so of two reports from the
  -- same second the later step counts.
  where r.payment_id = excluded.payment_id and case excluded.kind
    when 'refund' then
      array_position(v_refund_steps, excluded.status) > array_position(v_refund_steps, r.status)
    else
      (excluded.reported_at, array_position(v_dispute_steps, excluded.status))
        > (r.reported_at, array_position(v_dispute_steps, r.status))
  end;

  if not exists (
    select from public.payment_reversals r
    where r.id = record_reversal.reversal ->> 'id' and r.payment_id = record_reversal.payment_id
  ) then
    raise exception 'reversal % belongs to another payment', record_reversal.reversal ->> 'id'
      using errcode = 'integrity_constraint_violation';
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.session_user_id()
  RETURNS uuid
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  with session as (
    select nullif(current_setting('request.jwt.claims', true), '')::jsonb as claims
  )
  select i.user_id
  from session s
  -- Supabase Auth writes the number without its plus sign.
  join public.identities i
    on i.kind = 'phone' and i.value = '+' || regexp_replace(s.claims ->> 'phone', '^\+', '')
  where jsonb_typeof(s.claims -> 'phone') = 'string'
    and s.claims -> 'aud' = '"authenticated"'
    and s.claims -> 'role' = '"authenticated"'
    and coalesce(s.claims -> 'is_anonymous', 'false') in ('false', 'null')
    and s.claims ->> 'client_id' is null;
$function$;

CREATE OR REPLACE FUNCTION public.attach_payment_link (
  order_id                 uuid,
  razorpay_payment_link_id text,
  short_url                text,
  expires_at               timestamp with time zone
)
  RETURNS TABLE (
    stored_short_url  text,
    stored_expires_at timestamp with time zone
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
begin
  -- The first link stays, so that calls at the same moment hand out one link.
  update public.payment_orders o
  set razorpay_payment_link_id = attach_payment_link.razorpay_payment_link_id,
      short_url = attach_payment_link.short_url,
      expires_at = attach_payment_link.expires_at,
      next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
  where o.id = attach_payment_link.order_id and o.channel = 'link' and o.razorpay_payment_link_id is null;

  return query select o.short_url, o.expires_at from public.payment_orders o
  where o.id = attach_payment_link.order_id;
end;
$function$;

CREATE OR REPLACE FUNCTION public.attach_razorpay_order (
  order_id          uuid,
  razorpay_order_id text
)
  RETURNS text
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
declare
  v_razorpay_order_id text;
begin
  -- The first id stays. Another call that asked Razorpay at the same moment returns this id as well, and
  -- its own Razorpay order is never paid because nobody is given that id.
  update public.payment_orders o
  set razorpay_order_id = attach_razorpay_order.razorpay_order_id,
      state = 'open',
      opened_at = clock_timestamp(),
      next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
  where o.id = attach_razorpay_order.order_id and o.state = 'pending';

  select o.razorpay_order_id into v_razorpay_order_id from public.payment_orders o
  where o.id = attach_razorpay_order.order_id;
  return v_razorpay_order_id;
end;
$function$;

CREATE OR REPLACE FUNCTION public.check_invariants()
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  select c.* from private.check_ledger() c
  union all
  select c.* from private.check_accounts() c
  union all
  select c.* from private.check_orders() c
  union all
  select c.* from private.check_payments() c
  union all
  select c.* from private.check_reversals() c;
$function$;

CREATE OR REPLACE FUNCTION public.claim_orders_to_check (
  batch_size integer,
  key_mode   text
)
  RETURNS TABLE (
    order_id                 uuid,
    razorpay_order_id        text,
    razorpay_payment_link_id text
  )
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  -- Due as of the start of the statement, because no index serves a comparison with clock_timestamp().
  --
  -- An order that somebody tried to pay goes first, and then one that was never checked: its customer may
  -- have paid without a report. Neither waits behind orders that were checked before, of which anybody
  -- can make thousands.
  with tried as (
    select o.id
    from public.payment_orders o
    where o.next_check_at <= statement_timestamp()
      and o.state = 'open'
      and o.tried_at is not null
      and o.key_mode = $2
    order by o.next_check_at
    limit $1
    for no key update skip locked
  ),
  unchecked as (
    select o.id
    from public.payment_orders o
    where o.next_check_at <= statement_timestamp()
      and o.state <> 'paid'
      and o.tried_at is null
      and o.checked_at is null
      and o.key_mode = $2
    order by o.next_check_at
    limit $1 - (select count(*) from tried)
    for no key update skip locked
  ),
  others as (
    select o.id
    from public.payment_orders o
    where o.next_check_at <= statement_timestamp()
      and (o.state <> 'open' or o.tried_at is null)
      and (o.state = 'paid' or o.checked_at is not null)
      and o.key_mode = $2
    order by o.next_check_at
    limit $1 - (select count(*) from tried) - (select count(*) from unchecked)
    for no key update skip locked
  )
  update public.payment_orders o
  -- A claim that is never finished, because the caller was cut off or Razorpay did not respond, expires.
  -- It takes longer for an older order, so that one that keeps failing is tried less and less often.
  set next_check_at = clock_timestamp()
    + greatest(interval '2 minutes', (clock_timestamp() - o.created_at) / 20)
  -- An array, because the planner assumes that an unknown limit is a tenth of the table, and for a join
  -- it would read all of it.
  where o.id = any (array(
    select t.id from tried t
    union all select c.id from unchecked c
    union all select x.id from others x
  ))
  returning o.id, o.razorpay_order_id, o.razorpay_payment_link_id;
$function$;

CREATE OR REPLACE FUNCTION public.count_wrong_secret (
  caller_address text
)
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  select coalesce(c.retry_after_seconds, 0) from private.count_against_limits('wrong_secret', $1) c;
$function$;

CREATE OR REPLACE FUNCTION public.delete_abandoned_orders()
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  with deleted as (
    delete from public.payment_orders o
    where o.id = any (array(
      select x.id
      from public.payment_orders x
      where x.state <> 'paid'
        and x.tried_at is null
        and x.next_check_at is null
        -- Long after Razorpay was asked for the last time, see finish_order_check.
        and x.created_at < statement_timestamp() - interval '30 days'
        -- A repeated reference returns its order, and an operator's action is kept forever.
        and not exists (select from public.order_references r where r.order_id = x.id)
        and not exists (select from public.operator_actions a where a.order_id = x.id)
      order by x.created_at
      limit 1000
      for update skip locked
    ))
    returning 1
  )
  select count(*)::integer from deleted;
$function$;

REVOKE ALL ON FUNCTION "public"."delete_abandoned_orders"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.delete_expired_rate_counters()
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  with deleted as (
    delete from public.rate_counters c
    -- Few enough to be deleted in much less than the time limit.
    where c.ctid = any (array(
      select r.ctid
      from public.rate_counters r
      where r.window_ends_at < statement_timestamp()
      order by r.window_ends_at
      limit 10000
      -- A counter that is locked is about to start a new window, and its caller must not be kept waiting.
      for update skip locked
    ))
    returning 1
  )
  select count(*)::integer from deleted;
$function$;

REVOKE ALL ON FUNCTION "public"."delete_expired_rate_counters"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.find_order (
  razorpay_order_id text,
  phone_number      text,
  caller_address    text    DEFAULT NULL::text,
  is_proven         boolean DEFAULT false
)
  RETURNS TABLE (
    outcome               text,
    user_id               uuid,
    is_users_phone        boolean,
    package_id            text,
    key_mode              text,
    credits               integer,
    razorpay_payment_id   text,
    balance_after_payment integer,
    retry_after_seconds   integer
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_order public.payment_orders;
  v_exceeded_scope text;
begin
  select o.* into v_order from public.payment_orders o
  where o.razorpay_order_id = find_order.razorpay_order_id;

  if find_order.caller_address is not null then
    if find_order.is_proven then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'verify_payment', owner => find_order.phone_number, project => null
      ) c;
    else
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'verify_payment', find_order.caller_address,
        coalesce(v_order.phone_number, v_order.whatsapp_user_id)
      ) c;
    end if;
    if v_exceeded_scope is not null then
      outcome := 'rate_limited';
      return next;
      return;
    end if;
  end if;

  if v_order.id is null then
    outcome := 'order_not_found';
    return next;
    return;
  end if;

  select p.balance_after_grant into balance_after_payment from public.payments p
  where p.id = v_order.razorpay_payment_id;

  outcome := 'found';
  user_id := coalesce(
    v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
  );
  is_users_phone := case
    when user_id is null then v_order.phone_number is not distinct from find_order.phone_number
    else user_id is not distinct from private.find_user_id(find_order.phone_number, null)
  end;
  package_id := v_order.package_id;
  key_mode := v_order.key_mode;
  credits := v_order.credits;
  razorpay_payment_id := v_order.razorpay_payment_id;
  retry_after_seconds := 0;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."find_order"(text, text, text, boolean) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.find_payments (
  search text
)
  RETURNS TABLE (
    order_id uuid,
    life     jsonb
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  -- Each kind of id has an index of its own, so each is looked up by itself.
  with found (id) as (
    select o.id from public.payment_orders o where o.razorpay_order_id = $1
    union
    select o.id from public.payment_orders o where o.razorpay_payment_link_id = $1
    union
    select o.id from public.payment_orders o
    -- The receipt is the order's id without hyphens.
    where o.id = case when replace($1, '-', '') ~* '^[0-9a-f]{32}$' then replace($1, '-', '')::uuid end
    union
    select o.id from public.payment_orders o where o.user_id = private.find_user_id($1, $1)
    union
    -- An order that is not paid yet belongs to a number or a WhatsApp user id, and perhaps to no user
    -- yet.
    select o.id from public.payment_orders o where o.phone_number = $1
    union
    select o.id from public.payment_orders o where o.whatsapp_user_id = $1
    union
    select o.id
    from public.identities i
    join public.payment_orders o on i.kind = 'phone' and o.phone_number = i.value
    where i.user_id = private.find_user_id($1, $1)
    union
    select o.id
    from public.identities i
    join public.payment_orders o on i.kind = 'whatsapp_user_id' and o.whatsapp_user_id = i.value
    where i.user_id = private.find_user_id($1, $1)
    union
    select r.order_id from public.order_references r where r.reference_id = $1
    union
    select p.order_id from public.payments p where p.id = $1
    union
    select p.order_id
    from public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    where r.id = $1
  )
  select
    o.id,
    jsonb_build_object(
      'order', to_jsonb(o),
      'phone_number', coalesce(u.phone_number, o.phone_number),
      'balance', u.credits,
      'debt_credits', u.debt_credits,
      'payments', coalesce((
        select jsonb_agg(
          to_jsonb(p) || jsonb_build_object('reversals', coalesce((
            select jsonb_agg(to_jsonb(r) order by r.created_at)
            from public.payment_reversals r where r.payment_id = p.id
          ), '[]'::jsonb))
          order by p.created_at
        )
        from public.payments p where p.order_id = o.id
      ), '[]'::jsonb),
      -- By their references, because the entries stay with the account that had the order then, even if
      -- it was merged into another one.
      'transactions', coalesce((
        select jsonb_agg(to_jsonb(t) order by t.created_at, t.sequence_number)
        from (
          select t.*
          from public.payments p
          join public.credit_transactions t on t.source = 'payment' and t.reference_id = p.id
          where p.order_id = o.id
          union all
          select t.*
          from public.payments p
          join public.payment_reversals r on r.payment_id = p.id
          join public.credit_transactions t
            on t.source in ('refund', 'dispute') and t.reference_id = r.id
          where p.order_id = o.id
        ) t
      ), '[]'::jsonb),
      'webhook_deliveries', coalesce((
        select jsonb_agg(to_jsonb(d) order by d.id)
        from (
          select d.id, d.event_id, d.event, d.razorpay_order_id, d.razorpay_payment_id, d.outcome,
            d.received_at, d.finished_at
          from public.webhook_deliveries d where d.razorpay_order_id = o.razorpay_order_id
          union
          select d.id, d.event_id, d.event, d.razorpay_order_id, d.razorpay_payment_id, d.outcome,
            d.received_at, d.finished_at
          from public.payments p
          join public.webhook_deliveries d on d.razorpay_payment_id = p.id
          where p.order_id = o.id
        ) d
      ), '[]'::jsonb),
      'operator_actions', coalesce((
        select jsonb_agg(to_jsonb(a) order by a.id)
        from public.operator_actions a where a.order_id = o.id
      ), '[]'::jsonb)
    )
  from found f
  join public.payment_orders o on o.id = f.id
  left join public.users u
    on u.id = coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id))
  order by o.created_at desc;
$function$;

CREATE OR REPLACE FUNCTION public.finish_order_check (
  order_id uuid
)
  RETURNS void
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  with watched as (
    select
      o.id,
      o.tried_at,
      clock_timestamp() - coalesce(o.paid_at, o.created_at) as age,
      -- A late authorization can arrive for five days, and a refund that no webhook reported, for half
      -- a year.
      case o.state when 'paid' then interval '180 days' else interval '6 days' end as watched_for
    from public.payment_orders o
    where o.id = $1
  )
  update public.payment_orders o
  -- Often while the order is young, less and less often later. An order that nobody has tried to pay
  -- will hardly ever be paid: it is checked after 5 minutes, after half an hour, and then four more
  -- times, the last one when its watch ends.
  set checked_at = clock_timestamp(),
      next_check_at = case
        when w.age >= w.watched_for then null
        when w.tried_at is null then
          clock_timestamp() + least(greatest(interval '5 minutes', w.age * 5), w.watched_for - w.age)
        else clock_timestamp() + greatest(interval '5 minutes', w.age / 2)
      end
  from watched w
  where o.id = w.id;
$function$;

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
  return query select 'found', v_user.id, v_user.credits, v_user.created_at, 0;
end;
$function$;

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

  order by 3;
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

      -- Paid orders may still be refunded, so they move to the account that stays. Orders that wait for
      -- their payment belong to an identity, and move with it.
      update public.payment_orders o set user_id = v_into.id where o.user_id = v_from.id;
      update public.order_references r set user_id = v_into.id where r.user_id = v_from.id;
      update public.users u set debt_credits = u.debt_credits + v_from.debt_credits
      where u.id = v_into.id;
      update public.users u set debt_credits = 0 where u.id = v_from.id;
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

CREATE OR REPLACE FUNCTION public.place_order (
  package_id       text,
  key_mode         text,
  channel          text    DEFAULT 'checkout'::text,
  reference_id     text    DEFAULT NULL::text,
  phone_number     text    DEFAULT NULL::text,
  whatsapp_user_id text    DEFAULT NULL::text,
  caller_address   text    DEFAULT NULL::text,
  is_proven        boolean DEFAULT false
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
    v_user := private.lock_user(place_order.phone_number, place_order.whatsapp_user_id);

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

REVOKE ALL ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.settle_payment (
  razorpay_order_id   text,
  razorpay_payment_id text,
  payment_status      text,
  amount_paise        integer,
  currency            text,
  reversals           jsonb   DEFAULT '[]'::jsonb,
  receipt             text    DEFAULT NULL::text
)
  RETURNS TABLE (
    outcome           text,
    credits_added     integer,
    remaining_credits integer
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
  v_merged_into uuid;
  v_order public.payment_orders;
  v_payment public.payments;
  v_reversal jsonb;
  v_was_granted boolean;
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
        v_user_id :=
          (private.ensure_user(v_order.phone_number, v_order.whatsapp_user_id)).id;
      end if;
      select u.merged_into into v_merged_into from public.users u where u.id = v_user_id
      for no key update;
      select o.* into v_order from public.payment_orders o where o.id = v_order.id
      for no key update;

      -- The call that held the locks may have merged the account, created one for the number, or paid
      -- the order.
      if v_merged_into is not null
        or v_user_id is distinct from coalesce(
          v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
        )
      then
        raise exception 'the order has meanwhile gone to another user'
          using errcode = 'serialization_failure';
      end if;

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

  if v_payment.status in ('captured', 'refunded') and private.net_paise(v_payment.id) = 0 then
    -- Money that came and went buys nothing.
    outcome := 'payment_refunded';
  elsif v_order.amount_paise <> v_payment.amount_paise or v_order.currency <> v_payment.currency then
    outcome := 'amount_mismatch';
  elsif v_payment.status not in ('captured', 'refunded') then
    outcome := 'not_captured';
  elsif v_order.razorpay_payment_id <> v_payment.id then
    outcome := 'paid_by_another_payment';
  else
    -- A repeated report returns the same figures as the first one.
    outcome := case when v_was_granted then 'replayed' else 'settled' end;
    credits_added := v_payment.credits_granted;
    remaining_credits := v_payment.balance_after_grant;
  end if;

  return next;
end;
$function$;

ALTER TABLE "public"."order_references"
  ADD CONSTRAINT "order_references_pkey" PRIMARY KEY (user_id, reference_id, order_id);

ALTER TABLE "public"."packages"
  ADD CONSTRAINT "a_package_holds_at_most_a_million_credits" CHECK ((credits <= 1000000));

ALTER TABLE "public"."payment_orders"
  ADD CONSTRAINT "a_paid_order_and_no_other_has_a_user" CHECK (((state = 'paid'::text) = (user_id IS NOT NULL)));

ALTER TABLE "public"."payment_orders"
  ADD CONSTRAINT "an_order_grants_at_most_a_million_credits" CHECK ((credits <= 1000000));

ALTER TABLE "public"."payment_orders"
  ADD CONSTRAINT "an_order_is_for_somebody" CHECK ((num_nonnulls(phone_number, whatsapp_user_id) > 0));

ALTER TABLE "public"."payment_orders"
  ADD CONSTRAINT "phone_number_is_e164" CHECK ((phone_number ~ '^\+[1-9][0-9]{6,14}$'::text));

ALTER TABLE "public"."payment_orders"
  ADD CONSTRAINT "placed_by_is_a_hash" CHECK ((placed_by ~ '^[0-9a-f]{64}$'::text));

ALTER TABLE "public"."payment_orders"
  ADD CONSTRAINT "razorpay_is_asked_only_about_what_it_knows" CHECK (((next_check_at IS NULL) OR (num_nonnulls(razorpay_order_id, razorpay_payment_link_id) > 0)));

ALTER TABLE "public"."payment_orders"
  ADD CONSTRAINT "whatsapp_user_id_is_of_its_kind" CHECK ((whatsapp_user_id ~ '^[A-Z]{2}\.[A-Za-z0-9.]{1,128}$'::text));

ALTER TABLE "public"."payment_reversals"
  ADD CONSTRAINT "the_status_says_where_the_money_is" CHECK (
CASE
    WHEN (kind = 'refund'::text) THEN (is_money_gone = (status = 'processed'::text))
    WHEN (status = 'lost'::text) THEN is_money_gone
    WHEN (status <> 'closed'::text) THEN (NOT is_money_gone)
    ELSE true
END);

ALTER TABLE "public"."payments"
  ADD CONSTRAINT "a_payment_has_one_order" UNIQUE (id, order_id);

ALTER TABLE "public"."payment_orders"
  ADD CONSTRAINT "a_paid_order_names_a_payment_of_its_own" FOREIGN KEY (razorpay_payment_id, id) REFERENCES public.payments(id, order_id);

ALTER TABLE "public"."rate_limits"
  ADD CONSTRAINT "scope_is_known" CHECK ((scope = ANY (ARRAY['address'::text, 'phone'::text, 'user'::text, 'owner'::text, 'project'::text])));

CREATE INDEX order_references_by_reference ON public.order_references USING btree (reference_id);

CREATE INDEX payment_orders_abandoned ON public.payment_orders USING btree (created_at)
  WHERE ((state <> 'paid'::text) AND (tried_at IS NULL) AND (next_check_at IS NULL));

CREATE INDEX payment_orders_for_a_phone_number ON public.payment_orders USING btree (phone_number, package_id, created_at);

CREATE INDEX payment_orders_for_a_whatsapp_user_id ON public.payment_orders USING btree (whatsapp_user_id, package_id, created_at)
  WHERE (whatsapp_user_id IS NOT NULL);

CREATE INDEX payment_orders_never_checked ON public.payment_orders USING btree (key_mode, next_check_at)
  WHERE ((next_check_at IS NOT NULL) AND (state <> 'paid'::text) AND (tried_at IS NULL) AND (checked_at IS NULL));

CREATE INDEX payment_orders_of_a_user ON public.payment_orders USING btree (user_id);

CREATE INDEX payment_orders_to_check_first ON public.payment_orders USING btree (key_mode, next_check_at)
  WHERE ((next_check_at IS NOT NULL) AND (state = 'open'::text) AND (tried_at IS NOT NULL));

CREATE INDEX payment_orders_to_check ON public.payment_orders USING btree (key_mode, next_check_at)
  WHERE (next_check_at IS NOT NULL);

CREATE INDEX payment_reversals_with_a_debt ON public.payment_reversals USING btree (payment_id)
  WHERE (credits_owed > 0);

CREATE INDEX payments_with_a_flag ON public.payments USING btree (created_at)
  WHERE (flag IS NOT NULL);

CREATE INDEX webhook_deliveries_failed ON public.webhook_deliveries USING btree (received_at)
  WHERE (outcome = 'failed'::text);

CREATE INDEX webhook_deliveries_not_ours ON public.webhook_deliveries USING btree (received_at)
  WHERE (outcome = 'not_ours'::text);

COMMENT ON COLUMN "public"."payment_orders"."checked_at" IS 'When Razorpay was last asked about it.';

COMMENT ON COLUMN "public"."payment_orders"."next_check_at" IS 'When the reconciler next asks Razorpay about the order; null while Razorpay does not know it, and when there is nothing left to learn.';

COMMENT ON COLUMN "public"."payment_orders"."phone_number" IS 'Who the order is for: a phone number (E.164), a WhatsApp user id, or both. It gets its user when it is paid.';

COMMENT ON COLUMN "public"."payment_orders"."placed_by" IS 'SHA-256 of the network address of a stranger who placed it; null for the owner of the number, the bot and the operator.';

COMMENT ON COLUMN "public"."payment_orders"."tried_at" IS 'When the first payment on it was reported; null as long as nobody is known to have tried to pay.';

COMMENT ON COLUMN "public"."payment_orders"."user_id" IS 'The account that got the credits. Null until the order is paid: anyone may order for any number, so an order alone creates no user.';

COMMENT ON COLUMN "public"."payments"."balance_after_grant" IS 'The balance right after its credits were granted and what had already gone back was revoked, which every report of this payment returns.';

COMMENT ON COLUMN "public"."rate_limits"."scope" IS 'address: the caller''s network address, which can be forged, so it is never the only scope. phone, user: the person the call is about, regardless of the caller. owner: the same, for callers who have proven the number; they are counted here only, so that no stranger can use up their share. project: all other callers together.';

COMMENT ON COLUMN "public"."webhook_deliveries"."payload" IS 'The body as it was received. Not jsonb, and not to be taken apart in SQL: JSON may contain \u0000, which PostgreSQL''s text cannot.';

COMMENT ON FUNCTION "private"."check_accounts"() IS 'Part of check_invariants.';

COMMENT ON FUNCTION "private"."check_ledger"() IS 'Part of check_invariants.';

COMMENT ON FUNCTION "private"."check_orders"() IS 'Part of check_invariants.';

COMMENT ON FUNCTION "private"."check_payments"() IS 'Part of check_invariants.';

COMMENT ON FUNCTION "private"."check_reversals"() IS 'Part of check_invariants.';

COMMENT ON FUNCTION "private"."count_against_limits"(text, text, text, text, text) IS 'Null if the action is allowed; otherwise the scope that is exceeded, and for how many seconds. To be called after everything that may have to wait: the counters are shared, and stay locked until the transaction ends.';

COMMENT ON FUNCTION "private"."exceeded_limit"(text, text, text, text) IS 'One row: the scope, and the seconds until it is open again; no row if none is exceeded.';

COMMENT ON FUNCTION "private"."lock_identities"(text, text) IS 'An advisory lock, because an identity that is about to be used for the first time has no row to lock. Taken before any row.';

COMMENT ON FUNCTION "private"."lock_user"(text, text) IS 'As private.ensure_user. The account is not merged into another one, and cannot be before the transaction ends.';

COMMENT ON FUNCTION "private"."net_paise"(text) IS 'What was captured minus what was returned; 0 until the payment is captured, and as long as it has only been reported as refunded, without its refunds.';

COMMENT ON FUNCTION "private"."pay_order"(uuid, uuid) IS 'Idempotent. Grants nothing if we hold no money of any payment of the order. user_id is the order''s user, locked. Returns false if user_id is null although a payment is about to be granted.';

COMMENT ON FUNCTION "private"."record_reversal"(text, jsonb) IS 'reversal: {id, kind, status, amount_paise, is_money_gone, reported_at}. A repeated or older report changes nothing; one that names another payment is refused.';

COMMENT ON FUNCTION "private"."refuse_change"() IS 'Trigger of the append-only tables. The tables'' owner, which is the role of migrations and of the dashboard''s SQL editor, or a superuser can disable it; no role of the Data API can.';

COMMENT ON FUNCTION "public"."check_invariants"() IS 'Returns every violated invariant of the books with its subject, and no row if all is well. For operators and for tests. Reads every table in full, a fixed number of times, so call it over a direct connection, once a day.';

COMMENT ON FUNCTION "public"."claim_orders_to_check"(integer, text) IS 'Returns at most batch_size orders: first the unpaid ones that somebody tried to pay, then those that were never checked, then the others; of each kind the longest overdue first. Concurrent callers get different ones. finish_order_check ends a claim.';

COMMENT ON FUNCTION "public"."delete_abandoned_orders"() IS 'Housekeeping. Anyone may order for any number, so an order that came to nothing must not keep the number. Returns how many it deleted: at most 1,000.';

COMMENT ON FUNCTION "public"."delete_expired_rate_counters"() IS 'Housekeeping. Returns how many it deleted: at most 10,000, so that a call never takes long. An expired counter counts as zero in any case.';

COMMENT ON FUNCTION "public"."find_order"(text, text, text, boolean) IS 'One row. outcome: found (user_id is null while nobody has the number that the order is for; is_users_phone says whether phone_number is one of the user''s, or the order''s; the payment and the balance after it are null until the order is paid); order_not_found; rate_limited (too many verifications from caller_address, for this order''s number or in total; with is_proven, by the owner of phone_number).';

COMMENT ON FUNCTION "public"."list_attention"() IS 'kind: flagged payment (refund it in Razorpay''s dashboard); debt; open order (older than 15 minutes, still watched, and somebody tried to pay it); failed delivery; payment of no order (captured money that belongs to no order of ours: until it is booked or refunded, for 30 days); limit reached (a limit for everybody together, until its window ends).';

COMMENT ON FUNCTION "public"."merge_users"(uuid, uuid) IS 'merged: the identities and the balance have moved, the old history stays under the old id. replayed: they had moved before, and whatever was left behind has moved now. same_user, user_not_found, merged_before (one of them is no longer an account): nothing changed.';

COMMENT ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean) IS 'One row. outcome: placed; reused (the same purchase is still waiting for its payment); replayed (this reference placed this order before, with keys of this mode); reference_reused (this reference placed another order); package_not_found; rate_limited (too many orders from caller_address or for this number; nothing was placed); proof_required (callers without a proof have placed too many in total; those who prove the number are not counted among them). is_proven: the caller has proven the number, and is counted as its owner only; without caller_address nothing is counted. A link creates its user, an order at the checkout does not: user_id is null while nobody has the number. razorpay_order_id is null until attach_razorpay_order has stored it, and short_url until attach_payment_link has.';

COMMENT ON TABLE "public"."order_references" IS 'Which order a bot''s reference led to. Several references may have led to one order while it was open, and one reference to several: an order for each mode of the keys, and those that merged accounts bring along. The oldest counts.';

REVOKE ALL ON FUNCTION "private"."check_accounts"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_accounts"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_accounts"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_ledger"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_ledger"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_ledger"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_orders"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_orders"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_orders"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_payments"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_payments"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_payments"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_reversals"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_reversals"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_reversals"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."count_against_limits"(text, text, text, text, text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."count_against_limits"(text, text, text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."count_against_limits"(text, text, text, text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."exceeded_limit"(text, text, text, text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."exceeded_limit"(text, text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."exceeded_limit"(text, text, text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."lock_identities"(text, text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."lock_identities"(text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."lock_identities"(text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."lock_user"(text, text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."lock_user"(text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."lock_user"(text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."pay_order"(uuid, uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."pay_order"(uuid, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."pay_order"(uuid, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "public"."delete_abandoned_orders"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_abandoned_orders"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_abandoned_orders"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_expired_rate_counters"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_expired_rate_counters"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_expired_rate_counters"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."find_order"(text, text, text, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."place_order"(text, text, text, text, text, text, text, boolean) TO "service_role";

insert into public.rate_limits (action, scope, max_count, window_seconds) values ('create_order', 'owner', 60, 3600) on conflict do nothing;

insert into public.rate_limits (action, scope, max_count, window_seconds) values ('verify_payment', 'owner', 60, 60) on conflict do nothing;
