-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

-- Sessions and erasures that know how a number used to be spelled; the column of find_order that the
-- functions of version 1.0.0 read; clean-ups that one wrong order does not stop.

SET local check_function_bodies = off;

DROP FUNCTION "public"."find_order"(text, text, text, boolean);

CREATE OR REPLACE FUNCTION private.delete_auth_users (
  phone_numbers text[]
)
  RETURNS text
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  -- Supabase Auth keeps a number as it was spelled when signing in, and writes it without its plus sign.
  v_spellings constant text[] := array(
    select x.spelling
    from unnest(phone_numbers) p (number),
      unnest(private.number_spellings(p.number)) s (number),
      unnest(array[s.number, ltrim(s.number, '+')]) x (spelling)
  );
  -- A log without an index: a longer one would take longer than the call may.
  v_max_log_entries constant integer := 1000000;
  v_user_ids uuid[];
  v_is_log_left boolean := false;
  v_is_second_factor boolean := false;
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
  -- Somebody else may have it as a second factor. Without that, a password alone would open their account,
  -- so an operator decides.
  if exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = to_regclass('auth.mfa_factors') and a.attname = 'phone' and not a.attisdropped
  ) then
    execute 'select exists (select from auth.mfa_factors f where f.phone = any ($1))'
    into v_is_second_factor using v_spellings;
  end if;
  return case
    when v_is_log_left or v_is_second_factor then 'left'
    when cardinality(v_user_ids) > 0 then 'deleted'
    else 'none'
  end;
exception
  -- The tables may belong to a role that lends no rights, be of another shape, or be referred to.
  when insufficient_privilege or undefined_column or undefined_function or undefined_table
    or foreign_key_violation or restrict_violation or untranslatable_character
  then
    return 'left';
end;
$function$;

CREATE OR REPLACE FUNCTION private.number_spellings (
  phone_number text
)
  RETURNS text[]
  LANGUAGE sql
  IMMUTABLE
  SET search_path TO ''
  AS $function$
  select array_remove(array[d.dialed, nullif(o.old, d.dialed)], null)
  from (
    select regexp_replace(regexp_replace(regexp_replace($1,
      '^\+521([0-9]{10})$', '+52\1'),
      '^\+55([1-9][0-9])([6-9][0-9]{7})$', '+55\19\2'),
      '^\+54([1-8][0-9]{9})$', '+549\1')
  ) d (dialed)
  cross join lateral (
    select regexp_replace(regexp_replace(regexp_replace(d.dialed,
      '^\+52([0-9]{10})$', '+521\1'),
      '^\+55([1-9][0-9])9([6-9][0-9]{7})$', '+55\1\2'),
      '^\+549([1-8][0-9]{9})$', '+54\1')
  ) o (old)
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
    on i.kind = 'phone'
    and i.value = (
      private.number_spellings('+' || regexp_replace(s.claims ->> 'phone', '^\+', ''))
    )[1]
  where jsonb_typeof(s.claims -> 'phone') = 'string'
    and s.claims -> 'aud' = '"authenticated"'
    and s.claims -> 'role' = '"authenticated"'
    and coalesce(s.claims -> 'is_anonymous', 'false') in ('false', 'null')
    and s.claims ->> 'client_id' is null;
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
        -- One whose has_reference is wrong must not keep all the others from being deleted.
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
    balance_after_payment   integer,
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

  select p.balance_after_grant, coalesce(p.remaining_after_grant, p.balance_after_grant)
  into balance_after_payment, remaining_after_payment
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

COMMENT ON FUNCTION "private"."number_spellings"(text) IS 'One or two, the one that is dialed today first. Either of them leads to both.';

COMMENT ON FUNCTION "public"."find_order"(text, text, text, boolean) IS 'One row. outcome: found (user_id is null while nobody has the number that the order is for; is_users_phone says whether phone_number is one of the user''s, or the order''s, and nothing where none is given; the payment and what could be spent after it are null until the order is paid; balance_after_payment is what the functions of version 1.0.0 read, which run until newer ones are deployed); order_not_found; rate_limited (too many verifications from caller_address, for this order''s number or in total; with is_proven, by the owner of phone_number).';

REVOKE ALL ON FUNCTION "private"."number_spellings"(text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."number_spellings"(text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."number_spellings"(text) TO "postgres";

REVOKE ALL ON FUNCTION "public"."find_order"(text, text, text, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "service_role";
