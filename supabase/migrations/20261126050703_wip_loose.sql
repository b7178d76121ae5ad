-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP TRIGGER "credit_transactions_are_append_only" ON "public"."credit_transactions";

ALTER TABLE "public"."settings"
  DROP CONSTRAINT "name_is_known";

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
  v_max_log_entries constant integer := 1000000;
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
  if to_regclass('auth.audit_log_entries') is not null then
    select c.reltuples > v_max_log_entries into v_is_log_left
    from pg_catalog.pg_class c where c.oid = 'auth.audit_log_entries'::regclass;
    if not v_is_log_left then
      -- As a text, because a number stands in several places: an administrator's entries name whom they are
      -- about, and those of a user who was deleted before still name that user.
      execute 'delete from auth.audit_log_entries e where e.payload::text like any ($1)'
      using array(
        select '%"' || n.name || '"%' from unnest(v_spellings || v_user_ids::text[]) n (name)
      );
    end if;
  end if;
  execute 'delete from auth.users u where u.id = any ($1)' using v_user_ids;
  -- Somebody else may be about to take over the number.
  execute 'update auth.users u set phone_change = '''', phone_change_token = ''''
    where u.phone_change = any ($1)'
  using v_spellings;
  if to_regclass('auth.one_time_tokens') is not null then
    execute 'delete from auth.one_time_tokens t where t.relates_to = any ($1)' using v_spellings;
  end if;
  return case when v_is_log_left then 'left' when cardinality(v_user_ids) > 0 then 'deleted' else 'none' end;
exception
  -- The tables may belong to a role that lends no rights, be of another shape, or be referred to.
  when insufficient_privilege or undefined_column or undefined_function or undefined_table
    or foreign_key_violation or restrict_violation or untranslatable_character
  then
    return 'left';
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
  return split_part(v_context, E'\n', -1) ~ '^PL/pgSQL function public\.erase_user\([^()]*\) line \d+ at \w+$';
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
      left join public.users u on u.id = t.user_id and u.erased_at is not null
      where u.id is null
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
  v_is_changed boolean;
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

  v_is_changed := is_frozen <> (v_user.frozen_at is not null);
  if v_is_changed then
    update public.users u
    set frozen_at = case when is_frozen then clock_timestamp() end
    where u.id = v_user.id
    returning * into v_user;
    perform private.tell(v_user.id, case when is_frozen then 'user.frozen' else 'user.unfrozen' end);
  end if;

  outcome := 'done';
  result := jsonb_build_object(
    'user_id', v_user.id, 'frozen', is_frozen, 'changed', v_is_changed
  );
  perform private.record_action(
    v_action, set_frozen.operator, set_frozen.reason,
    reference_id => set_frozen.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result
  );
end;
$function$;

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
    outcome := case outcome when 'refunded' then 'replayed' else outcome end;
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

CREATE OR REPLACE FUNCTION public.delete_unpaid_orders()
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
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
      and not exists (select from public.order_references r where r.order_id = x.id)
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

REVOKE ALL ON FUNCTION "public"."delete_unpaid_orders"() FROM PUBLIC, "anon", "authenticated";

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
    outcome := case outcome when 'refunded' then 'replayed' else outcome end;
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
  result := jsonb_build_object(
    'user_id', v_user.id,
    'debt_credits', v_user.debt_credits,
    'changed', v_before -> 'debt_credits' <> to_jsonb(v_user.debt_credits)
  );
  perform private.record_action(
    'forgive-debt', forgive_debt.operator, forgive_debt.reason,
    reference_id => forgive_debt.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result
  );
  return next;
end;
$function$;

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
  if to_regclass('auth.one_time_tokens') is not null then
    execute 'analyze auth.one_time_tokens';
  end if;
end;
$function$;

ALTER TABLE "public"."settings"
  ADD CONSTRAINT "name_is_known"
    CHECK
    ((name = ANY (ARRAY['low_balance_credits'::text, 'max_open_holds'::text, 'welcome_after_erasure'::text, 'webhook_retention_days'::text, 'hold_retention_days'::text,
    'event_retention_days'::text, 'unpaid_order_retention_days'::text])));

CREATE INDEX payment_orders_tried_in_vain ON public.payment_orders USING btree (tried_at)
  WHERE ((state <> 'paid'::text) AND (tried_at IS NOT NULL) AND (next_check_at IS NULL));

CREATE TRIGGER credit_transactions_are_append_only
  BEFORE UPDATE OF id, user_id, sequence_number, action, credits, source, balance_after, created_at, quantity, price_id, remaining_after ON public.credit_transactions
  FOR EACH ROW
  EXECUTE FUNCTION private.refuse_change();

CREATE TRIGGER credit_transactions_are_never_deleted
  BEFORE DELETE ON public.credit_transactions
  FOR EACH ROW
  EXECUTE FUNCTION private.refuse_change();

CREATE TRIGGER credit_transactions_keep_their_references
  AFTER UPDATE ON public.credit_transactions REFERENCING NEW TABLE AS new_entries
  FOR EACH STATEMENT
  EXECUTE FUNCTION private.keep_ledger();

COMMENT ON COLUMN "public"."settings"."value" IS 'low_balance_credits: the balance at which a user is running out. max_open_holds: how many holds of one user may be open at the same time. welcome_after_erasure: whether somebody who was erased and comes back gets the free credits again, 0 for no. webhook_retention_days, hold_retention_days, event_retention_days, unpaid_order_retention_days: after how many days deliveries of Razorpay''s webhook, holds that ended without a charge, events, and orders that somebody tried to pay in vain are deleted.';

COMMENT ON FUNCTION "private"."keep_ledger"() IS 'Trigger of the ledger, once for each statement, however many entries a person has. Allows what private.replace_references does; another trigger refuses changes to any other column.';

COMMENT ON FUNCTION "public"."ask_refund"(text, text, text, text, integer) IS 'One row. amount_paise: all that is left if left out. outcome: asking (recorded: ask Razorpay now for refund_paise, with refund_key as its idempotency key and receipt, and report to finish_refund); asked (recorded before, and what came of it is not known: look for it at Razorpay, and ask again); replayed and refused (what came of it before, with the result of finish_refund); reference_reused; payment_not_found; payment_not_captured; refund_exceeds_payment (more than is left after what was refunded, lost in disputes and asked for). Only asking changes anything.';

COMMENT ON FUNCTION "public"."delete_unpaid_orders"() IS 'Housekeeping, see the setting unpaid_order_retention_days. Returns how many it deleted, with what Razorpay has reported of the attempts: at most 1,000.';

COMMENT ON FUNCTION "public"."finish_refund"(text, jsonb, text) IS 'One row. refund: as a reversal of settle_payment, which books it. refusal: why Razorpay made none. outcome: refunded, with result {refund_id, status, amount_paise}; replayed, with that of an earlier call for the same reference; or refused, by this call or an earlier one, with result {refusal}.';

COMMENT ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer) IS 'One row. credits: the most that is forgiven, oldest debt first; all of it if left out. No entry in the ledger: a debt is not part of the balance. outcome: done and replayed, with result {user_id, debt_credits, changed}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON FUNCTION "public"."freeze_user"(uuid, text, text, text) IS 'One row. Also done where the account was frozen before. outcome: done and replayed, with result {user_id, frozen, changed}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text) IS 'One row. Also done where the account was not frozen. outcome: done and replayed, with result {user_id, frozen, changed}; reference_reused; user_not_found. Only done changes anything.';

REVOKE ALL ON FUNCTION "public"."delete_unpaid_orders"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_unpaid_orders"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_unpaid_orders"() TO "service_role";

insert into public.settings (name, value) values ('unpaid_order_retention_days', 180) on conflict do nothing;
