-- Looks for orders that contradict their payments or references.
create function private.check_orders(order_ids uuid[])
returns table (invariant text, subject text, detail text, user_id uuid, order_id uuid)
language plpgsql
stable
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
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
$$;

comment on function private.check_orders is
  'Part of check_scope. Reads the orders of order_ids, their payments and references.';
