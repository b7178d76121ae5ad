-- Returns everything about one customer that an operator looks at.
create function public.get_customer(user_id uuid, order_id uuid default null)
returns table (outcome text, customer jsonb)
language plpgsql
stable
security definer
set search_path = ''
set statement_timeout = '4s'
as $$
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
$$;

comment on function public.get_customer is
  'One row. user_id: if the account was merged into another one, that one is meant. order_id: an order of theirs that is among the orders however old it is. outcome: found (erased or not); user_not_found. The newest of everything that grows: 50 entries, with next_cursor for list_entries, 20 orders, 20 events, 20 actions. The 100 open holds that expire first, including those that have expired and that nothing has ended yet.';
