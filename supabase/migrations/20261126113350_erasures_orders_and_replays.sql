-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

-- Erasures that read only what is about the person, and that refunds and reservations take turns with;
-- orders that know whether a reference keeps them; older orders for operators; replays that return what
-- the first answer said; addresses that are resumed without their queue being rewritten.

SET local check_function_bodies = off;

DROP INDEX "public"."event_deliveries_to_give_up";

DROP INDEX "public"."payment_orders_abandoned";

DROP INDEX "public"."payment_orders_tried_in_vain";

ALTER TABLE "public"."rate_counters"
  DROP CONSTRAINT "rate_counters_pkey";

DROP FUNCTION "public"."find_order"(text, text, text, boolean);

DROP FUNCTION "public"."get_customer"(uuid);

ALTER TABLE "public"."event_addresses"
  ADD COLUMN "give_up_not_before" timestamp WITH time zone;

ALTER TABLE "public"."payment_orders"
  ADD COLUMN "has_reference" boolean NOT NULL DEFAULT false;

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
  select 'an order knows whether a reference led to it', 'order ' || o.id,
    case when o.has_reference then 'none did' else 'one did' end,
    null, o.id
  from orders o
  where o.has_reference <> exists (
    select from public.order_references r where r.order_id = o.id
  )

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

CREATE OR REPLACE FUNCTION private.keep_ledger()
  RETURNS TRIGGER
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  if private.is_erasing()
    and not exists (
      select from new_entries t
      -- Not a join, for which replace_references would have all users read.
      where (select u.erased_at from public.users u where u.id = t.user_id) is null
        or t.source in ('system', 'payment', 'refund', 'dispute', 'merge')
        or coalesce(t.reference_id, '') !~ '^erased [0-9a-f-]{36}$'
    )
  then
    return null;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$function$;

CREATE OR REPLACE FUNCTION private.keep_price_history()
  RETURNS TRIGGER
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_newest public.action_prices;
  v_earliest timestamptz;
begin
  -- One change of an action at a time, so that each statement from here on sees the one before.
  perform pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('prices of ' || new.action_id, 0)
  );

  if tg_op = 'INSERT' then
    -- One that was withdrawn has no time of its own, and does not count.
    select p.* into v_newest from public.action_prices p
    where p.action_id = new.action_id and p.valid_until > p.valid_from
    order by p.valid_from desc
    limit 1;
    -- After what is known already, which may be planned, and not in the past.
    v_earliest := greatest(transaction_timestamp(),
      case v_newest.valid_until when 'infinity' then v_newest.valid_from else v_newest.valid_until end);
    if v_newest.id is not null and (
      new.valid_from < v_earliest
      -- To end the newest price when it begins would be to withdraw it.
      or new.valid_from = v_newest.valid_from
    ) then
      raise exception 'the next price of % can apply % at the earliest', new.action_id,
        case v_newest.valid_from when v_earliest then 'after ' else 'from ' end || v_earliest
        using errcode = 'restrict_violation',
          hint = 'To withdraw a planned price, set its valid_until to its own valid_from.';
    end if;
    update public.action_prices p set valid_until = new.valid_from
    where p.id = v_newest.id and p.valid_until = 'infinity';
  elsif old.valid_until <= greatest(old.valid_from, transaction_timestamp())
    or new.valid_until < transaction_timestamp()
    -- Withdrawn, but somebody may have been charged by it already.
    or new.valid_until = new.valid_from and new.valid_from <= clock_timestamp()
    or (to_jsonb(new) - 'valid_until') <> (to_jsonb(old) - 'valid_until')
  then
    raise exception 'a price is never changed: add another row, or set valid_until to retire the action'
      using errcode = 'restrict_violation',
        hint = 'What has ended or was withdrawn stays as it is, and nothing ends in the past.';
  elsif new.valid_until > old.valid_until and exists (
    select from public.action_prices p
    where p.action_id = new.action_id and p.id <> new.id
      and tstzrange(p.valid_from, p.valid_until) && tstzrange(old.valid_until, new.valid_until)
  ) then
    raise exception 'another price of % is planned before %', new.action_id, new.valid_until
      using errcode = 'restrict_violation',
        hint = 'To withdraw a planned price, set its valid_until to its own valid_from.';
  end if;
  return new;
end;
$function$;

CREATE OR REPLACE FUNCTION private.set_up_schedules (
  project_url text,
  secret_key  text
)
  RETURNS TABLE (
    job_name text,
    schedule text
  )
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
declare
  v_missing constant text := (
    select pg_catalog.string_agg(e.extension, ', ')
    from (
      values
        ('pg_cron', 'cron', 'schedule'),
        ('pg_net', 'net', 'http_post'),
        ('supabase_vault', 'vault', 'create_secret')
    ) e (extension, schema_name, function_name)
    where not exists (
      select
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where n.nspname = e.schema_name and p.proname = e.function_name
    )
  );
  -- As they are copied, with spaces, line breaks and a slash at the end.
  v_project_url constant text := pg_catalog.rtrim(
    pg_catalog.btrim(set_up_schedules.project_url, E' \t\r\n'), '/'
  );
  v_secret_key constant text := pg_catalog.btrim(set_up_schedules.secret_key, E' \t\r\n');
  v_secret record;
  v_job record;
begin
  if v_missing is not null then
    raise exception 'this database lacks extensions: %', v_missing
      using errcode = 'feature_not_supported',
        hint = 'Enable them in the dashboard, under Database > Extensions, and call this again.';
  end if;
  if v_project_url is null or v_project_url !~ '^https://[A-Za-z0-9.-]+(:[0-9]+)?$' then
    raise exception 'the project''s address must be like https://abcdefghijklmnopqrst.supabase.co, not %',
      coalesce(set_up_schedules.project_url, 'null')
      using errcode = 'invalid_parameter_value';
  end if;
  -- The key of older projects is a token, which begins with eyJ.
  if v_secret_key is null or v_secret_key !~ '^(sb_secret_|eyJ)[A-Za-z0-9._-]+$' then
    raise exception 'the key must be a secret key of the project, sb_secret_..., and not a publishable one'
      using errcode = 'invalid_parameter_value';
  end if;

  for v_secret in
    select w.name, w.value, k.id
    from (
      values ('credits_project_url', v_project_url), ('credits_secret_key', v_secret_key)
    ) w (name, value)
    left join vault.decrypted_secrets k on k.name = w.name
  loop
    if v_secret.id is null then
      perform vault.create_secret(v_secret.value, v_secret.name);
    else
      perform vault.update_secret(v_secret.id, v_secret.value);
    end if;
  end loop;

  -- Jobs that are no longer ours, those that earlier versions had pasted under other names, and those that
  -- somebody paused, because cron.schedule would leave them so.
  perform cron.unschedule(j.jobid)
  from cron.job j
  where j.username = current_user
    and (j.jobname like 'credits-%' or j.jobname in ('reconcile-payments', 'check-books'))
    and (not j.active or not exists (
      select from private.scheduled_jobs() s where s.job_name = j.jobname
    ));

  for v_job in select s.* from private.scheduled_jobs() s loop
    begin
      perform cron.schedule(v_job.job_name, v_job.schedule, v_job.command);
    exception when invalid_parameter_value then
      perform cron.schedule(v_job.job_name, v_job.schedule_without_seconds, v_job.command);
    end;
  end loop;

  return query
  select j.jobname::text, j.schedule
  from cron.job j
  where j.username = current_user and j.jobname like 'credits-%'
  order by j.jobname;
end;
$function$;

CREATE OR REPLACE FUNCTION public.ask_refund (
  payment_id   text,
  operator     text,
  reason       text,
  reference_id text,
  amount_paise integer DEFAULT NULL::integer,
  operator_id  uuid    DEFAULT NULL::uuid
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
    outcome := case outcome when 'refunded' then 'replayed' else outcome end;
    select (a.after ->> 'amount_paise')::integer into refund_paise
    from public.operator_actions a where a.id = v_action_id;
    return next;
    return;
  end if;

  -- An erasure locks the orders before it looks whether a refund was asked for. This one is asked for
  -- before it, or of a payment of somebody erased.
  perform from public.payment_orders o
  where o.id = (select p.order_id from public.payments p where p.id = ask_refund.payment_id)
  for no key update;
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
    after => jsonb_build_object('amount_paise', refund_paise),
    operator_id => ask_refund.operator_id
  );
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.delete_abandoned_orders()
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  SET enable_hashjoin TO 'off'
  SET enable_mergejoin TO 'off'
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
        and not x.has_reference
        and not exists (select from public.operator_actions a where a.order_id = x.id)
      order by x.created_at
      limit 1000
      for update skip locked
    ))
    returning 1
  )
  select count(*)::integer from deleted;
$function$;

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
        -- One that could not be delivered stays until somebody has looked at it, which nobody does for an
        -- address that is no longer in use.
        and not exists (
          select from public.event_deliveries d
          join public.event_addresses a on a.id = d.address_id and a.removed_at is null
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

CREATE OR REPLACE FUNCTION public.delete_unpaid_orders()
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  SET enable_hashjoin TO 'off'
  SET enable_mergejoin TO 'off'
  AS $function$
  with unpaid as (
    select x.id
    from public.payment_orders x
    where x.state <> 'paid'
      and x.tried_at < statement_timestamp() - make_interval(
        days => (select s.value from public.settings s where s.name = 'unpaid_order_retention_days')
      )
      and x.next_check_at is null
      -- Where money has moved, or may have, all of it is kept.
      and not exists (
        select from public.payments p
        where p.order_id = x.id
          and (
            p.status not in ('created', 'failed')
            or exists (select from public.payment_reversals r where r.payment_id = p.id)
            or exists (select from public.operator_actions a where a.payment_id = p.id)
          )
      )
      -- As in delete_abandoned_orders.
      and not x.has_reference
      and not exists (select from public.operator_actions a where a.order_id = x.id)
      -- One that could not be delivered stays until somebody has looked at it.
      and not exists (select from public.events e where e.order_id = x.id)
    order by x.tried_at
    limit 1000
    for update skip locked
  ),
  deleted_payments as (
    delete from public.payments p using unpaid u where p.order_id = u.id
  ),
  deleted as (
    delete from public.payment_orders o using unpaid u where o.id = u.id
    returning 1
  )
  select count(*)::integer from deleted;
$function$;

CREATE OR REPLACE FUNCTION public.erase_user (
  user_id         uuid,
  operator        text,
  reason          text,
  identity_hashes jsonb DEFAULT '{}'::jsonb,
  operator_id     uuid  DEFAULT NULL::uuid
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
  SET statement_timeout TO '30s'
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
  -- Arrays, because for a condition with subqueries on either side of an "or" the planner uses no index.
  where d.razorpay_order_id = any (array(
      select o.razorpay_order_id from public.payment_orders o where o.id = any (v_order_ids)
    ))
    or d.razorpay_payment_id = any (array(
      select p.id from public.payments p where p.order_id = any (v_order_ids)
    ));
  delete from public.events e
  where e.user_id = any (v_user_ids) or e.order_id = any (v_order_ids);
  -- What the check of the books found about the person. What is still wrong is found again.
  update public.book_violations v set subject = 'erased ' || gen_random_uuid(), detail = 'erased'
  where v.user_id = any (v_user_ids) or v.order_id = any (v_order_ids);
  perform private.replace_references(v_user_ids, v_order_ids);
  auth := private.delete_auth_users(v_phone_numbers);

  -- The record names nobody, so the reason, in which an operator may have named the person, is not kept.
  perform private.record_action(
    'erase-user', erase_user.operator, 'erased', auth, user_id => v_user.id,
    operator_id => erase_user.operator_id
  );

  delete from public.rate_counters c
  where c.subject = any (v_phone_numbers || v_whatsapp_user_ids);

  outcome := 'erased';
  identities := null;
  select u.erased_at into strict erased_at from public.users u where u.id = v_user.id;
  return next;
end;
$function$;

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
  named_orders (id) as (
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
  ),
  found_orders (id) as (
    select n.id from named_orders n
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
      (
        select jsonb_agg(
          private.customer_details(a) || jsonb_build_object(
            'found_order_id', (
              select o.id
              from named_orders n
              join owned_orders o on o.id = n.id
              join public.users owner on owner.id = o.owner_id
              where coalesce(owner.merged_into, owner.id) = a.id
              order by o.created_at desc, o.id
              limit 1
            )
          )
          order by a.created_at, a.id
        )
        from accounts a
      ),
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

CREATE OR REPLACE FUNCTION public.find_order (
  razorpay_order_id text,
  phone_number      text    DEFAULT NULL::text,
  caller_address    text    DEFAULT NULL::text,
  is_proven         boolean DEFAULT false
)
  RETURNS TABLE (
    outcome                 text,
    user_id                 uuid,
    is_users_phone          boolean,
    package_id              text,
    key_mode                text,
    credits                 integer,
    razorpay_payment_id     text,
    remaining_after_payment integer,
    retry_after_seconds     integer
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

  select coalesce(p.remaining_after_grant, p.balance_after_grant) into remaining_after_payment
  from public.payments p
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

CREATE OR REPLACE FUNCTION public.finish_event_delivery (
  event_id            uuid,
  address_id          integer,
  lease_token         uuid,
  http_status         integer DEFAULT NULL::integer,
  error               text    DEFAULT NULL::text,
  retry_after_seconds integer DEFAULT NULL::integer
)
  RETURNS text
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_waits constant interval[] := array[
    '5 seconds', '30 seconds', '2 minutes', '10 minutes', '30 minutes', '1 hour', '2 hours', '4 hours',
    '8 hours'
  ];
  v_shortest_probe_wait constant interval := '5 seconds';
  v_longest_probe_wait constant interval := '15 minutes';
  v_failures_of_a_down_address constant integer := 3;
  -- The address says how long to wait, but not for how long nobody is told anything.
  v_retry_after constant interval := make_interval(
    secs => least(greatest(finish_event_delivery.retry_after_seconds, 0), 3600)
  );
  -- So that what failed together is not sent together again.
  v_jitter constant double precision := 0.8 + 0.4 * random();
  v_address public.event_addresses;
  v_delivery public.event_deliveries;
  v_give_up_at timestamptz;
begin
  select a.* into v_address from public.event_addresses a
  where a.id = finish_event_delivery.address_id
  for no key update;
  select d.* into v_delivery from public.event_deliveries d
  where d.event_id = finish_event_delivery.event_id
    and d.address_id = finish_event_delivery.address_id
    -- Whoever has claimed it since says what became of it.
    and d.lease_token = finish_event_delivery.lease_token
  for no key update;
  if not found then
    return 'lease_lost';
  end if;

  update public.event_deliveries d
  set lease_token = null,
      last_status = finish_event_delivery.http_status,
      last_error = finish_event_delivery.error
  where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;

  if finish_event_delivery.http_status between 200 and 299 then
    update public.event_deliveries d
    set state = 'delivered', next_attempt_at = null, finished_at = clock_timestamp()
    where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
    update public.event_addresses a set failures = 0, failing_since = null, next_probe_at = null
    where a.id = v_address.id and a.failures > 0;
    -- It was down and is back: what failed meanwhile did not fail by itself.
    if v_address.failures >= v_failures_of_a_down_address then
      update public.event_deliveries d
      set next_attempt_at = least(d.next_attempt_at, clock_timestamp())
      where d.address_id = v_address.id
        and d.state = 'pending'
        and d.lease_token is null
        and d.last_attempt_at >= v_address.failing_since - interval '1 minute';
    end if;
    return 'delivered';
  elsif finish_event_delivery.http_status = 410 then
    update public.event_deliveries d set next_attempt_at = clock_timestamp()
    where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
    update public.event_addresses a set paused_at = coalesce(a.paused_at, clock_timestamp())
    where a.id = v_address.id;
    return 'paused';
  end if;

  update public.event_addresses a
  set failures = a.failures + 1,
      failing_since = coalesce(a.failing_since, clock_timestamp()),
      -- As long as it has been failing, and not by how many attempts failed: ten that were under way
      -- together are one outage, which may be over in a second.
      next_probe_at = clock_timestamp() + v_jitter * least(
        v_longest_probe_wait,
        greatest(v_shortest_probe_wait, clock_timestamp() - a.failing_since)
      ),
      not_before = greatest(a.not_before, clock_timestamp() + v_retry_after),
      last_failure = coalesce(
        finish_event_delivery.error, 'status ' || finish_event_delivery.http_status
      )
  where a.id = v_address.id;

  v_give_up_at := greatest(v_delivery.give_up_at, v_address.give_up_not_before);
  if clock_timestamp() >= v_give_up_at then
    update public.event_deliveries d
    set state = 'dead', next_attempt_at = null, finished_at = clock_timestamp()
    where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
    return 'dead';
  end if;
  update public.event_deliveries d
  set next_attempt_at = least(
    clock_timestamp() + greatest(
      v_jitter * v_waits[least(v_delivery.attempts, array_length(v_waits, 1))],
      v_retry_after
    ),
    v_give_up_at
  )
  where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
  return 'failed';
end;
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
    -- So that nobody pays it meanwhile.
    for no key update
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

CREATE OR REPLACE FUNCTION public.get_customer (
  user_id  uuid,
  order_id uuid DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome  text,
    customer jsonb
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_user public.users;
  v_user_ids uuid[];
  v_order_ids uuid[];
  v_page jsonb;
begin
  select u.* into v_user from public.users u
  where u.id = (
    select coalesce(named.merged_into, named.id) from public.users named
    where named.id = get_customer.user_id
  );
  if not found then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  v_user_ids := array(
    select u.id from public.users u where u.id = v_user.id or u.merged_into = v_user.id
  );
  v_order_ids := private.newest_orders(v_user.id);
  if get_customer.order_id <> all (v_order_ids) and exists (
    select from private.orders_of_customer(v_user.id) o where o.order_id = get_customer.order_id
  )
  then
    -- Older than all of these.
    v_order_ids := v_order_ids || get_customer.order_id;
  end if;
  v_page := private.page_of_entries(v_user.id, 50);

  outcome := 'found';
  customer := private.customer_profile(v_user) || v_page || jsonb_build_object(
    'total_entries', v_user.transaction_count,
    'balance_points', private.balance_points(v_user),
    'holds', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'reference_id', h.reference_id,
          'action', h.action_id,
          'quantity', h.quantity,
          'credits', h.credits,
          'created_at', h.created_at,
          'expires_at', h.expires_at,
          'is_expired', h.expires_at <= statement_timestamp()
        )
        order by h.expires_at
      ), '[]')
      from (
        select h.* from public.holds h
        where h.user_id = v_user.id and h.state = 'open'
        order by h.expires_at
        limit 100
      ) h
    ),
    'orders', (
      select coalesce(jsonb_agg(private.order_life(o.id) order by o.place), '[]')
      from unnest(v_order_ids) with ordinality o (id, place)
    ),
    'events', (
      select coalesce(jsonb_agg(private.event_details(e) order by e.created_at desc, e.id), '[]')
      from (
        select e.*
        from (
          select e.* from public.events e where e.user_id = any (v_user_ids)
          union all
          -- From before there was a user.
          select e.* from public.events e where e.order_id = any (v_order_ids) and e.user_id is null
        ) e
        order by e.created_at desc, e.id
        limit 20
      ) e
    ),
    'actions', (
      select coalesce(jsonb_agg(private.action_details(a) order by a.id desc), '[]')
      from (
        select a.* from public.operator_actions a
        where a.id = any (array(
          select c.action_id from private.actions_on_customer(v_user.id) c
          order by c.action_id desc
          limit 20
        ))
      ) a
    )
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."get_customer"(uuid, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.hand_out_events (
  urls       text[],
  batch_size integer
)
  RETURNS integer
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
declare
  -- Runs may name different addresses for a while after the setting has changed.
  v_unnamed_for constant interval := '1 hour';
  v_max_age constant interval := '3 days';
  v_count integer;
begin
  -- Not at every run, because runs come every few seconds.
  update public.event_addresses a
  set named_at = clock_timestamp(), removed_at = null
  where a.url = any (hand_out_events.urls)
    and (a.named_at < clock_timestamp() - interval '5 minutes' or a.removed_at is not null);
  insert into public.event_addresses (url)
  select named.url from unnest(hand_out_events.urls) with ordinality named (url, position)
  where not exists (select from public.event_addresses a where a.url = named.url)
  order by named.position
  on conflict (url) do nothing;

  update public.event_addresses a set removed_at = clock_timestamp()
  where a.removed_at is null
    and a.url <> all (hand_out_events.urls)
    and a.named_at < clock_timestamp() - v_unnamed_for;
  update public.event_deliveries d
  set state = 'ended', next_attempt_at = null, lease_token = null, finished_at = clock_timestamp()
  where d.ctid = any (array(
    select p.ctid
    from public.event_addresses a
    join public.event_deliveries p on p.address_id = a.id and p.state = 'pending'
    where a.removed_at is not null
    limit 10000
    for update of p skip locked
  ));

  -- The last attempt is at give_up_at. These have missed it, because their address was down or nobody
  -- called; a paused address keeps its queue, and so does one that was resumed.
  update public.event_deliveries d
  set state = 'dead', next_attempt_at = null, lease_token = null, finished_at = clock_timestamp()
  where d.ctid = any (array(
    select p.ctid
    from public.event_deliveries p
    join public.event_addresses a on a.id = p.address_id and a.paused_at is null
    where p.state = 'pending' and p.give_up_at < statement_timestamp() - interval '1 hour'
      and coalesce(a.give_up_not_before, '-infinity') < statement_timestamp() - interval '1 hour'
    limit 10000
    for update of p skip locked
  ));

  -- Events that nobody wants to hear stay as they are. Which ones are new is told by the row and not by
  -- a position, because transactions do not commit in the order in which they began.
  if not exists (select from public.event_addresses a where a.removed_at is null) then
    return 0;
  end if;
  with due as (
    select e.id, e.created_at
    from public.events e
    where e.state = 'new'
    order by e.created_at
    limit hand_out_events.batch_size
    for no key update skip locked
  ),
  handed_out as (
    update public.events e
    set state = case
          when d.created_at < clock_timestamp() - v_max_age then 'not_sent' else 'handed_out'
        end,
        handed_out_at = clock_timestamp()
    from due d
    where e.id = d.id
    returning e.id, e.state, e.created_at
  ),
  delivery as (
    insert into public.event_deliveries (event_id, address_id, next_attempt_at)
    -- The oldest first.
    select h.id, a.id, h.created_at
    from handed_out h
    cross join public.event_addresses a
    where h.state = 'handed_out' and a.removed_at is null
  )
  select count(*) into v_count from handed_out;
  return v_count;
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
      credits, amount_paise, key_mode, channel, placed_by, has_reference)
    values (place_order.phone_number, place_order.whatsapp_user_id, v_package.id, v_package.name,
      v_package.credits, v_package.price * 100, place_order.key_mode, place_order.channel,
      v_placed_by, place_order.reference_id is not null)
    returning * into v_order;
  end if;
  if place_order.reference_id is not null then
    insert into public.order_references (user_id, reference_id, order_id)
    values (v_user.id, place_order.reference_id, v_order.id);
    update public.payment_orders o set has_reference = true
    where o.id = v_order.id and not o.has_reference;
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

CREATE OR REPLACE FUNCTION public.resend_events (
  operator       text,
  reason         text,
  reference_id   text,
  event_id       uuid                     DEFAULT NULL::uuid,
  created_from   timestamp with time zone DEFAULT NULL::timestamp WITH time zone,
  created_before timestamp with time zone DEFAULT NULL::timestamp WITH time zone,
  operator_id    uuid                     DEFAULT NULL::uuid
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
  v_max_events constant integer := 10000;
  v_request constant jsonb := jsonb_strip_nulls(jsonb_build_object(
    'event_id', resend_events.event_id,
    'from', resend_events.created_from,
    'to', resend_events.created_before
  ));
  v_event_ids uuid[];
  v_addresses integer;
begin
  if num_nonnulls(resend_events.event_id, resend_events.created_from) <> 1
    or (resend_events.created_from is null) <> (resend_events.created_before is null)
  then
    raise exception 'either one event or a period is sent again'
      using errcode = 'invalid_parameter_value';
  end if;

  select r.outcome, r.result into outcome, result
  from private.repeated_action('resend-events', resend_events.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  select array_agg(e.id) into v_event_ids
  from (
    select e.id from public.events e
    where e.id = resend_events.event_id
      or e.created_at >= resend_events.created_from and e.created_at < resend_events.created_before
    limit v_max_events + 1
  ) e;
  if resend_events.event_id is not null and v_event_ids is null then
    outcome := 'event_not_found';
  elsif cardinality(v_event_ids) > v_max_events then
    outcome := 'too_many_events';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  -- Whatever kept the addresses from being sent to is said to be over. What waited for one that was
  -- paused is sent at once and has three days from now.
  with resumed as (
    update public.event_addresses a
    set paused_at = null, failures = 0, failing_since = null, next_probe_at = null, not_before = null,
        give_up_not_before = case
          when former.paused_at is null then a.give_up_not_before
          else clock_timestamp() + interval '3 days'
        end
    from (select p.id, p.paused_at from public.event_addresses p for no key update) former
    where a.id = former.id and a.removed_at is null
    returning a.id, former.paused_at
  ),
  waiting as (
    update public.event_deliveries d
    set next_attempt_at = clock_timestamp()
    from resumed r
    where d.address_id = r.id and r.paused_at is not null
      and d.state = 'pending' and d.lease_token is null
      -- The few that had failed before. All others are due, however many wait.
      and d.next_attempt_at > statement_timestamp()
      and d.event_id <> all (coalesce(v_event_ids, '{}'))
  )
  select count(*) into v_addresses from resumed;

  if v_addresses > 0 then
    update public.events e
    set state = 'handed_out', handed_out_at = coalesce(e.handed_out_at, clock_timestamp())
    where e.id = any (v_event_ids) and e.state <> 'handed_out';
    insert into public.event_deliveries as d (event_id, address_id)
    select e.id, a.id
    from public.events e
    cross join public.event_addresses a
    where e.id = any (v_event_ids) and a.removed_at is null
    on conflict (event_id, address_id) do update
    set state = 'pending', attempts = 0, next_attempt_at = excluded.next_attempt_at,
        give_up_at = excluded.give_up_at, lease_token = null, finished_at = null
    -- One that is on its way right now arrives anyway.
    where d.lease_token is null or d.next_attempt_at <= clock_timestamp();
  end if;

  outcome := 'done';
  result := jsonb_build_object(
    'resent', case when v_addresses > 0 then coalesce(cardinality(v_event_ids), 0) else 0 end
  );
  perform private.record_action(
    'resend-events', resend_events.operator, resend_events.reason,
    reference_id => resend_events.reference_id, request => v_request,
    user_id => (select e.user_id from public.events e where e.id = resend_events.event_id),
    result => result, operator_id => resend_events.operator_id
  );
  return next;
end;
$function$;

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
      -- Of the row as it is once its lock is held: an erasure takes the number away.
      and u.phone_number = reserve_credits.phone_number
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
  elsif v_user.open_holds >= coalesce(
    (select s.value from public.settings s where s.name = 'max_open_holds'), 0
  ) then
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

ALTER TABLE "public"."rate_counters"
  ADD CONSTRAINT "rate_counters_pkey" PRIMARY KEY (subject, action, scope);

CREATE INDEX book_violations_of_a_user ON public.book_violations USING btree (user_id)
  WHERE (user_id IS NOT NULL);

CREATE INDEX book_violations_of_an_order ON public.book_violations USING btree (order_id)
  WHERE (order_id IS NOT NULL);

COMMENT ON COLUMN "public"."credit_transactions"."reference_id" IS 'What caused the entry: a WhatsApp message or job id, a Razorpay payment, refund or dispute id, the other account of a merge, an operator''s reference, "welcome".';

COMMENT ON COLUMN "public"."event_addresses"."give_up_not_before" IS 'Until when nothing is given up that waits for it: three days after resend_events has resumed it. In one row, because its queue may be long.';

COMMENT ON COLUMN "public"."event_deliveries"."give_up_at" IS 'When it is sent for the last time, unless its address has a later give_up_not_before.';

COMMENT ON COLUMN "public"."payment_orders"."has_reference" IS 'Whether order_references has a row of it, so that it is kept forever.';

COMMENT ON FUNCTION "public"."find_customers"(text, text[]) IS 'One row. search: a user id, WhatsApp user id, Razorpay order, payment, payment link, refund or dispute id, our order id or receipt, the reference of a payment link or of an operator''s action. phone_numbers: E.164, the readings of what was searched for. customers: at most 10, with the newest of their orders that search names. unclaimed_orders: those of numbers that are no customers'' yet, at most 20.';

COMMENT ON FUNCTION "public"."find_order"(text, text, text, boolean) IS 'One row. outcome: found (user_id is null while nobody has the number that the order is for; is_users_phone says whether phone_number is one of the user''s, or the order''s, and nothing where none is given; the payment and what could be spent after it are null until the order is paid); order_not_found; rate_limited (too many verifications from caller_address, for this order''s number or in total; with is_proven, by the owner of phone_number).';

COMMENT ON FUNCTION "public"."get_customer"(uuid, uuid) IS 'One row. user_id: if the account was merged into another one, that one is meant. order_id: an order of theirs that is among the orders however old it is. outcome: found (erased or not); user_not_found. The newest of everything that grows: 50 entries, with next_cursor for list_entries, 20 orders, 20 events, 20 actions. The 100 open holds that expire first, including those that have expired and that nothing has ended yet.';

COMMENT ON FUNCTION "public"."list_attention"() IS 'remedy: the Edge Function that helps, null if none does by itself. user_id, order_id, payment_id, reference_id (of a refund): what it is about. amount_paise: of the refund or the order; of an unfinished refund, null if all that was left was asked for. events_from: since when events have to be sent again. kind: flagged payment (call refund-payment); debt; unfinished refund (call refund-payment again with the same reference); open order (older than 15 minutes, still watched, and somebody tried to pay it); failed delivery; payment of no order (captured money that belongs to no order of ours: until it is booked or refunded, for 30 days); undelivered events (per address: paused by 410, failing for 15 minutes, or given up; or not handed out for 15 minutes); limit reached (a limit for everybody together, until its window ends); broken invariant (found by run_book_check, until it is found no more); books unchecked (run_book_check fails or is no longer called); expired holds (expire_holds fails for somebody or is no longer called, for 15 minutes).';

COMMENT ON FUNCTION "public"."receive_webhook"(text, text, text, text, text) IS 'Returns the id of the delivery, for finish_webhook. payload: the body, with nothing in it that names a person: see functions-shared/payments/blanked-payload.ts.';

COMMENT ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) IS 'For settle-order alone: every other action records itself with private.record_action.';

COMMENT ON TABLE "public"."credit_transactions" IS 'The ledger: every movement of every balance, numbered per user without gaps. Only an erasure changes it, and only references.';

REVOKE ALL ON FUNCTION "public"."find_order"(text, text, text, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."get_customer"(uuid, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_customer"(uuid, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_customer"(uuid, uuid) TO "service_role";

-- What is kept because of a reference. Orders wait for this, so that none is deleted without it; those
-- that are placed by calls that wait get it in 20261126141625. No row has changed for the check of the
-- books.
ALTER TABLE public.payment_orders DISABLE TRIGGER payment_orders_note_their_change;

UPDATE public.payment_orders o SET has_reference = true
WHERE EXISTS (SELECT FROM public.order_references r WHERE r.order_id = o.id);

ALTER TABLE public.payment_orders ENABLE TRIGGER payment_orders_note_their_change;
