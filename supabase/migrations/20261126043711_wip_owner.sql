-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP FUNCTION "public"."find_order"(text, text, text, boolean);

DROP FUNCTION "public"."get_user"(text, text, text, text[], uuid);

DROP FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text);

CREATE OR REPLACE FUNCTION private.pending_orders (
  user_id uuid
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
begin
  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'razorpay_order_id', o.razorpay_order_id,
          'package_id', o.package_id,
          'package_name', o.package_name,
          'credits', o.credits,
          'amount_paise', o.amount_paise,
          'created_at', o.created_at
        )
        order by o.created_at desc
      ),
      '[]'
    )
    from (
      select o.*
      from (
        -- An order that is not paid belongs to a number or a WhatsApp user id.
        select o.*
        from public.identities i
        join public.payment_orders o on o.phone_number = i.value
        where i.user_id = pending_orders.user_id
          and i.kind = 'phone'
          and o.state = 'open' and o.tried_at is not null and o.next_check_at is not null
        union
        select o.*
        from public.identities i
        join public.payment_orders o on o.whatsapp_user_id = i.value
        where i.user_id = pending_orders.user_id
          and i.kind = 'whatsapp_user_id'
          and o.state = 'open' and o.tried_at is not null and o.next_check_at is not null
      ) o
      where exists (
        select from public.payments p
        where p.order_id = o.id and p.status in ('created', 'authorized')
      )
      -- Where an order names two identities, the number decides whose it is.
      and private.find_user_id(o.phone_number, o.whatsapp_user_id) = pending_orders.user_id
      order by o.created_at desc
      limit 10
    ) o
  );
end;
$function$;

CREATE OR REPLACE FUNCTION public.find_order (
  razorpay_order_id text,
  phone_number      text    DEFAULT NULL::text,
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

CREATE OR REPLACE FUNCTION public.get_user (
  phone_number        text    DEFAULT NULL::text,
  whatsapp_user_id    text    DEFAULT NULL::text,
  caller_address      text    DEFAULT NULL::text,
  identity_hashes     text[]  DEFAULT NULL::text[],
  link_user_id        uuid    DEFAULT NULL::uuid,
  with_pending_orders boolean DEFAULT false
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
    is_frozen           boolean,
    pending_orders      jsonb
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
    v_user.frozen_at is not null,
    case when get_user.with_pending_orders then private.pending_orders(v_user.id) end;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.list_credit_transactions (
  user_id                uuid,
  page_size              integer,
  before_sequence_number integer DEFAULT NULL::integer,
  proven_phone_number    text    DEFAULT NULL::text,
  is_public_reader       boolean DEFAULT false
)
  RETURNS TABLE (
    outcome           text,
    total             integer,
    debt_credits      integer,
    next_cursor       integer,
    transactions      jsonb,
    credits           integer,
    remaining_credits integer,
    reserved_credits  integer,
    is_frozen         boolean,
    pending_orders    jsonb
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
declare
  v_user public.users;
  v_is_proven boolean := not list_credit_transactions.is_public_reader;
begin
  -- A caller who has proven a number may read the history of that number only. Anyone else gets the
  -- same result for a user who exists and for one who does not.
  if list_credit_transactions.proven_phone_number is not null then
    v_is_proven := list_credit_transactions.user_id
      is not distinct from private.find_user_id(list_credit_transactions.proven_phone_number, null);
  end if;
  total := 0;
  debt_credits := 0;
  transactions := '[]';
  if not v_is_proven and not list_credit_transactions.is_public_reader then
    outcome := 'not_the_owner';
    return next;
    return;
  end if;

  select u.* into v_user from public.users u
  where u.id = list_credit_transactions.user_id and u.erased_at is null;
  if not found then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  return query
  with page as (
    select t.* from public.credit_transactions t
    where t.user_id = list_credit_transactions.user_id
      and t.sequence_number < coalesce(
        list_credit_transactions.before_sequence_number, v_user.transaction_count + 1
      )
    order by t.sequence_number desc
    limit list_credit_transactions.page_size
  )
  select
    'listed',
    v_user.transaction_count,
    v_user.debt_credits,
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
    ),
    v_user.credits,
    private.remaining_credits(v_user),
    private.reserved_credits(v_user),
    v_user.frozen_at is not null,
    -- An order tells of a purchase, which is nobody else's business.
    case when v_is_proven then private.pending_orders(v_user.id) end
  from page p;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) FROM PUBLIC, "anon", "authenticated";

CREATE INDEX payment_orders_tried_for_a_phone_number ON public.payment_orders USING btree (phone_number)
  WHERE ((next_check_at IS NOT NULL) AND (state = 'open'::text) AND (tried_at IS NOT NULL));

CREATE INDEX payment_orders_tried_for_a_whatsapp_user_id ON public.payment_orders USING btree (whatsapp_user_id)
  WHERE ((next_check_at IS NOT NULL) AND (state = 'open'::text) AND (tried_at IS NOT NULL) AND (whatsapp_user_id IS NOT NULL));

COMMENT ON FUNCTION "private"."pending_orders"(uuid) IS 'At most 10, the newest first: razorpay_order_id, package_id, package_name, credits, amount_paise, created_at.';

COMMENT ON FUNCTION "public"."find_order"(text, text, text, boolean) IS 'One row. outcome: found (user_id is null while nobody has the number that the order is for; is_users_phone says whether phone_number is one of the user''s, or the order''s, and nothing where none is given; the payment and the balance after it are null until the order is paid); order_not_found; rate_limited (too many verifications from caller_address, for this order''s number or in total; with is_proven, by the owner of phone_number).';

COMMENT ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) IS 'The user of a phone number (E.164) or a WhatsApp user id, created on first contact. One row. link_user_id: the user that the caller''s link was made for. pending_orders: see private.pending_orders; null unless asked for. outcome: found; link_is_void (that user was erased); rate_limited (too many unknown numbers from caller_address or in total; nothing was created); identity_hashes_needed (see private.is_welcome; nothing was created or counted).';

COMMENT ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) IS 'One row. outcome: listed; user_not_found (or erased); not_the_owner (if proven_phone_number is given and belongs to another user). total counts all entries of the user; next_cursor is null on the last page. is_public_reader: the caller may read every account, and sees pending_orders only where proven_phone_number is the user''s; they are null otherwise.';

REVOKE ALL ON FUNCTION "private"."pending_orders"(uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."pending_orders"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."pending_orders"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "public"."find_order"(text, text, text, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) TO "service_role";
