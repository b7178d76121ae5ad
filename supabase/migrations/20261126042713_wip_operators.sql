-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint);

DROP FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text);

DROP FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean);

DROP FUNCTION "public"."ask_refund"(text, text, text, text, integer);

DROP FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text);

DROP FUNCTION "public"."erase_user"(uuid, text, text, jsonb);

DROP FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer);

DROP FUNCTION "public"."freeze_user"(uuid, text, text, text);

DROP FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text);

DROP FUNCTION "public"."record_operator_action"(uuid, text, text, text);

DROP FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone);

DROP FUNCTION "public"."unfreeze_user"(uuid, text, text, text);

CREATE TABLE "public"."operators" (
  "user_id"     uuid                     NOT NULL,
  "email"       text                     NOT NULL,
  "name"        text                     NOT NULL,
  "role"        text                     NOT NULL,
  "disabled_at" timestamp with time zone,
  "created_at"  timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT "name_is_given" CHECK (((name ~ '\S'::text) AND (length(name) <= 200))),
  CONSTRAINT "operators_pkey" PRIMARY KEY (user_id),
  CONSTRAINT "role_is_known" CHECK ((role = ANY (ARRAY['support'::text, 'owner'::text])))
);

ALTER TABLE "public"."operators"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."operators" FROM "anon", "authenticated", "service_role";

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "operator_id" uuid;

CREATE OR REPLACE FUNCTION private.has_session_ended (
  user_id    uuid,
  session_id uuid
)
  RETURNS boolean
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
declare
  v_is_open boolean;
begin
  -- The table is Auth's own, and not every project has it: so nothing is named before it is looked for.
  if has_session_ended.session_id is null or to_regclass('auth.sessions') is null then
    return false;
  end if;
  execute 'select exists (select from auth.sessions s where s.id = $1 and s.user_id = $2)'
  into v_is_open using has_session_ended.session_id, has_session_ended.user_id;
  return not v_is_open;
exception
  -- The table may belong to a role that lends no rights. Then the token's expiry has to do.
  when insufficient_privilege then
    return false;
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
  completes    bigint DEFAULT NULL::bigint,
  operator_id  uuid   DEFAULT NULL::uuid
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  insert into public.operator_actions
    (action, operator, reason, outcome, reference_id, request, user_id, order_id, payment_id, before,
      after, result, completes, operator_id)
  values (record_action.action, record_action.operator, record_action.reason, record_action.outcome,
    record_action.reference_id, record_action.request, record_action.user_id, record_action.order_id,
    record_action.payment_id, record_action.before, record_action.after, record_action.result,
    record_action.completes, record_action.operator_id);
end;
$function$;

CREATE OR REPLACE FUNCTION private.set_frozen (
  user_id      uuid,
  is_frozen    boolean,
  operator     text,
  reason       text,
  reference_id text,
  operator_id  uuid,
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
    perform private.tell(v_user.id, case when is_frozen then 'user.frozen' else 'user.unfrozen' end);
  end if;

  outcome := 'done';
  result := jsonb_build_object('user_id', v_user.id, 'frozen', is_frozen);
  perform private.record_action(
    v_action, set_frozen.operator, set_frozen.reason,
    reference_id => set_frozen.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => set_frozen.operator_id
  );
end;
$function$;

CREATE OR REPLACE FUNCTION public.add_operator (
  email text,
  name  text,
  role  text
)
  RETURNS TABLE (
    outcome text,
    user_id uuid
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_email constant text := lower(btrim(add_operator.email));
  v_user_id uuid;
  v_is_confirmed boolean;
  v_is_new boolean;
begin
  -- The table is Auth's own, and not every project has it: so nothing is named before it is looked for.
  if to_regclass('auth.users') is not null then
    execute
      'select u.id, u.email_confirmed_at is not null from auth.users u where lower(u.email) = $1'
    into v_user_id, v_is_confirmed using v_email;
  end if;
  if v_user_id is null then
    outcome := 'user_not_found';
  elsif not v_is_confirmed then
    outcome := 'email_not_confirmed';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  insert into public.operators as o (user_id, email, name, role)
  values (v_user_id, v_email, add_operator.name, add_operator.role)
  on conflict (user_id) do update
  set email = excluded.email, name = excluded.name, role = excluded.role, disabled_at = null
  returning o.xmax = 0 into v_is_new;
  outcome := case when v_is_new then 'added' else 'changed' end;
  user_id := v_user_id;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."add_operator"(text, text, text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.adjust_credits (
  user_id      uuid,
  credits      integer,
  operator     text,
  reason       text,
  reference_id text,
  allow_debt   boolean DEFAULT false,
  operator_id  uuid    DEFAULT NULL::uuid
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
  v_balance integer;
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

  v_balance := v_user.credits;
  select u.* into strict v_user from public.users u where u.id = v_user.id;
  if adjust_credits.credits > 0 then
    perform private.tell(
      v_user.id, 'credits.granted',
      jsonb_build_object('source', 'adjustment', 'credits_added', adjust_credits.credits)
    );
  else
    perform private.tell(
      v_user.id, 'credits.taken_back',
      jsonb_build_object(
        'source', 'adjustment',
        'credits_taken', -adjust_credits.credits,
        'debt_credits', v_user.debt_credits
      )
    );
    perform private.tell_of_low_balance(v_user.id, v_balance, v_user.credits);
  end if;

  outcome := 'done';
  result := jsonb_build_object(
    'user_id', v_user.id, 'credits', v_user.credits, 'debt_credits', v_user.debt_credits
  );
  perform private.record_action(
    'adjust-credits', adjust_credits.operator, adjust_credits.reason,
    reference_id => adjust_credits.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => adjust_credits.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) FROM PUBLIC, "anon", "authenticated";

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
    after => jsonb_build_object('amount_paise', refund_paise),
    operator_id => ask_refund.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.disable_operator (
  email text
)
  RETURNS TABLE (
    outcome text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
begin
  update public.operators o set disabled_at = coalesce(o.disabled_at, clock_timestamp())
  where o.email = lower(btrim(disable_operator.email));
  outcome := case when found then 'disabled' else 'operator_not_found' end;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."disable_operator"(text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.end_hold_by_hand (
  user_id           uuid,
  hold_reference_id text,
  operator          text,
  reason            text,
  reference_id      text,
  operator_id       uuid DEFAULT NULL::uuid
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
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => end_hold_by_hand.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

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

REVOKE ALL ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.find_operator (
  user_id    uuid,
  session_id uuid DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome text,
    name    text,
    role    text
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
begin
  select 'found', o.name, o.role into outcome, name, role
  from public.operators o
  where o.user_id = find_operator.user_id and o.disabled_at is null;
  if outcome is null then
    outcome := 'not_an_operator';
  elsif private.has_session_ended(find_operator.user_id, find_operator.session_id) then
    outcome := 'session_ended';
    name := null;
    role := null;
  end if;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."find_operator"(uuid, uuid) FROM PUBLIC, "anon", "authenticated";

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
    completes => v_asked.id, operator_id => v_asked.operator_id
  );
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.forgive_debt (
  user_id      uuid,
  operator     text,
  reason       text,
  reference_id text,
  credits      integer DEFAULT NULL::integer,
  operator_id  uuid    DEFAULT NULL::uuid
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
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => forgive_debt.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.freeze_user (
  user_id      uuid,
  operator     text,
  reason       text,
  reference_id text,
  operator_id  uuid DEFAULT NULL::uuid
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
    freeze_user.reference_id, freeze_user.operator_id
  ) f;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.list_operators()
  RETURNS TABLE (
    user_id     uuid,
    email       text,
    name        text,
    role        text,
    disabled_at timestamp with time zone,
    created_at  timestamp with time zone
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  select o.user_id, o.email, o.name, o.role, o.disabled_at, o.created_at
  from public.operators o
  order by o.created_at;
$function$;

REVOKE ALL ON FUNCTION "public"."list_operators"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.merge_users_by_hand (
  from_user_id uuid,
  into_user_id uuid,
  operator     text,
  reason       text,
  reference_id text,
  operator_id  uuid DEFAULT NULL::uuid
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
  -- deadlock with a deduction, reservation or capture, the call is rolled back as a whole and made again.
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
    result => result, operator_id => merge_users_by_hand.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.record_operator_action (
  order_id    uuid,
  operator    text,
  reason      text,
  outcome     text,
  operator_id uuid DEFAULT NULL::uuid
)
  RETURNS void
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  insert into public.operator_actions (order_id, operator, reason, outcome, operator_id)
  values ($1, $2, $3, $4, $5);
$function$;

REVOKE ALL ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

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
  -- paused has three days from now.
  with resumed as (
    update public.event_addresses a
    set paused_at = null, failures = 0, failing_since = null, next_probe_at = null, not_before = null
    from (select p.id, p.paused_at from public.event_addresses p for no key update) former
    where a.id = former.id and a.removed_at is null
    returning a.id, former.paused_at
  ),
  waiting as (
    update public.event_deliveries d
    set give_up_at = clock_timestamp() + interval '3 days', next_attempt_at = clock_timestamp()
    from resumed r
    where d.address_id = r.id and r.paused_at is not null
      and d.state = 'pending' and d.lease_token is null
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

REVOKE ALL ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.unfreeze_user (
  user_id      uuid,
  operator     text,
  reason       text,
  reference_id text,
  operator_id  uuid DEFAULT NULL::uuid
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
    unfreeze_user.reference_id, unfreeze_user.operator_id
  ) f;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

ALTER TABLE "public"."operator_actions"
  ADD CONSTRAINT "operator_actions_operator_id_fkey" FOREIGN KEY (operator_id) REFERENCES public.operators(user_id);

CREATE INDEX operator_actions_of_an_operator ON public.operator_actions USING btree (operator_id)
  WHERE (operator_id IS NOT NULL);

COMMENT ON COLUMN "public"."operator_actions"."operator_id" IS 'Who was signed in, and operator is then the name in that row. Null for a call with the secret key, where operator is what the call said.';

COMMENT ON COLUMN "public"."operators"."disabled_at" IS 'Since when the operator may do nothing. Null if they may.';

COMMENT ON COLUMN "public"."operators"."email" IS 'The address when the operator was added, to tell people apart. Nobody is recognized by it.';

COMMENT ON COLUMN "public"."operators"."user_id" IS 'The user of Supabase Auth. No foreign key: a database without Auth has no such table.';

COMMENT ON FUNCTION "private"."has_session_ended"(uuid, uuid) IS 'False where that cannot be known: the token names no session, or the table is not there or not ours to read.';

COMMENT ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint, uuid) IS 'In the transaction of the action itself, after private.repeated_action has found nothing.';

COMMENT ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text, uuid) IS 'See freeze_user and unfreeze_user.';

COMMENT ON FUNCTION "public"."add_operator"(text, text, text) IS 'One row. outcome: added; changed (an operator before, who is enabled again if disabled); user_not_found (Auth has no user with this address); email_not_confirmed (whoever made that user may not be who has the address). Only added and changed change anything, and have user_id.';

COMMENT ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) IS 'One row. credits is a difference. A positive one pays debts first. outcome: done and replayed, with result {user_id, credits, debt_credits}; reference_reused; user_not_found; not_enough_credits (a negative one exceeds what is not reserved, and allow_debt is false); too_many_credits (the balance or the debt would exceed a billion). Only done changes anything.';

COMMENT ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) IS 'One row. amount_paise: all that is left if left out. outcome: asking (recorded: ask Razorpay now for refund_paise, with refund_key as its idempotency key and receipt, and report to finish_refund); asked (recorded before, and what came of it is not known: look for it at Razorpay, and ask again); refunded and refused (what came of it before, with the result of finish_refund); reference_reused; payment_not_found; payment_not_captured; refund_exceeds_payment (more than is left after what was refunded, lost in disputes and asked for). Only asking changes anything.';

COMMENT ON FUNCTION "public"."disable_operator"(text) IS 'One row. email: as list_operators has it. outcome: disabled, now or before; operator_not_found.';

COMMENT ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) IS 'One row. outcome: done and replayed, with result {released_credits}; reference_reused; user_not_found; hold_captured (charged, by a capture or by a deduction); hold_not_found (none is open under hold_reference_id: it may have been released or have expired). Only done changes anything.';

COMMENT ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) IS 'One row. outcome: erased; replayed (erased before); user_not_found; user_in_use (a hold is open, or a payment was tried and neither failed nor succeeded, or a refund was asked for and is not known to have been made); hashes_needed (nothing was changed: call again with identity_hashes, an object with the keyed hash of each of identities). auth: see private.delete_auth_users. An account that was merged stands for the one that it was merged into.';

COMMENT ON FUNCTION "public"."find_operator"(uuid, uuid) IS 'One row. user_id and session_id: of a session''s token whose signature was checked. outcome: found, with name and role; not_an_operator (there is no such operator, or a disabled one); session_ended (signed out since the token was made).';

COMMENT ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) IS 'One row. credits: the most that is forgiven, oldest debt first; all of it if left out. No entry in the ledger: a debt is not part of the balance. outcome: done and replayed, with result {user_id, debt_credits}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) IS 'One row. Also done where the account was frozen before. outcome: done and replayed, with result {user_id, frozen}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON FUNCTION "public"."list_operators"() IS 'In the order in which they were added.';

COMMENT ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) IS 'One row. outcome: done and replayed, with result {outcome}, which is merged or replayed as in merge_users; reference_reused; same_user, user_not_found and merged_before as in merge_users. Only done changes anything.';

COMMENT ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) IS 'Append-only: a recorded action cannot be changed or removed.';

COMMENT ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp with time zone, timestamp with time zone, uuid) IS 'One row. Either event_id, or the events from created_from until before created_before, whatever became of them; receivers know them by their id. Addresses that were paused or down are sent to again. outcome: done and replayed, with result {resent}, the number of events (0 if there is no address); reference_reused; event_not_found; too_many_events (more than 10,000). Only done changes anything.';

COMMENT ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) IS 'One row. Also done where the account was not frozen. outcome: done and replayed, with result {user_id, frozen}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON TABLE "public"."operators" IS 'Who may call the operators'' functions with a session. Asked at every call, so that what changes here is in force at once. Rows stay, because what somebody did stays.';

REVOKE ALL ON FUNCTION "private"."has_session_ended"(uuid, uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."has_session_ended"(uuid, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."has_session_ended"(uuid, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint, uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text, uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "public"."add_operator"(text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."add_operator"(text, text, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."add_operator"(text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."disable_operator"(text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."disable_operator"(text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."disable_operator"(text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."find_operator"(uuid, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_operator"(uuid, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_operator"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_operators"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_operators"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_operators"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) TO "service_role";
