-- Looks for orders that contradict their payments or references.
create function private.check_orders()
returns table (invariant text, subject text, detail text)
language sql
stable
set search_path = ''
as $$
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
    -- One that was closed belongs to nobody.
    and (o.state = 'paid' or o.erased_at is null)

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
$$;

comment on function private.check_orders is
  'Part of check_invariants.';
