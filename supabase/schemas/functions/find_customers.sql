-- Finds the customers that an operator looks for, with what is needed to help them.
create function public.find_customers(search text, phone_numbers text[] default '{}')
returns table (customers jsonb, unclaimed_orders jsonb)
language sql
stable
security definer
set search_path = ''
as $$
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
$$;

comment on function public.find_customers is
  'One row. search: a user id, WhatsApp user id, Razorpay order, payment, payment link, refund or dispute id, our order id or receipt, the reference of a payment link or of an operator''s action. phone_numbers: E.164, the readings of what was searched for. customers: at most 10, with the newest of their orders that search names. unclaimed_orders: those of numbers that are no customers'' yet, at most 20.';
