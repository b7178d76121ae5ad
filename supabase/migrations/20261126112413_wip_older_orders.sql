-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP FUNCTION "public"."get_customer"(uuid);

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

COMMENT ON FUNCTION "public"."find_customers"(text, text[]) IS 'One row. search: a user id, WhatsApp user id, Razorpay order, payment, payment link, refund or dispute id, our order id or receipt, the reference of a payment link or of an operator''s action. phone_numbers: E.164, the readings of what was searched for. customers: at most 10, with the newest of their orders that search names. unclaimed_orders: those of numbers that are no customers'' yet, at most 20.';

COMMENT ON FUNCTION "public"."get_customer"(uuid, uuid) IS 'One row. user_id: if the account was merged into another one, that one is meant. order_id: an order of theirs that is among the orders however old it is. outcome: found (erased or not); user_not_found. The newest of everything that grows: 50 entries, with next_cursor for list_entries, 20 orders, 20 events, 20 actions. The 100 open holds that expire first, including those that have expired and that nothing has ended yet.';

REVOKE ALL ON FUNCTION "public"."get_customer"(uuid, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_customer"(uuid, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_customer"(uuid, uuid) TO "service_role";
