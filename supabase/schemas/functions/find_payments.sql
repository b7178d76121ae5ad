-- Returns everything recorded about an order, for an operator.
create function public.find_payments(search text)
returns table (order_id uuid, life jsonb)
language sql
stable
security definer
set search_path = ''
as $$
  -- Each kind of id has an index of its own, so each is looked up by itself.
  with found (id) as (
    select o.id from public.payment_orders o where o.razorpay_order_id = $1
    union
    select o.id from public.payment_orders o where o.razorpay_payment_link_id = $1
    union
    select o.id from public.payment_orders o
    -- The receipt is the order's id without hyphens.
    where o.id = case when replace($1, '-', '') ~* '^[0-9a-f]{32}$' then replace($1, '-', '')::uuid end
    union
    select o.id from public.payment_orders o where o.user_id = private.find_user_id($1, $1)
    union
    -- An order that is not paid yet belongs to a number or a WhatsApp user id, and perhaps to no user
    -- yet.
    select o.id from public.payment_orders o where o.phone_number = $1
    union
    select o.id from public.payment_orders o where o.whatsapp_user_id = $1
    union
    select o.id
    from public.identities i
    join public.payment_orders o on i.kind = 'phone' and o.phone_number = i.value
    where i.user_id = private.find_user_id($1, $1)
    union
    select o.id
    from public.identities i
    join public.payment_orders o on i.kind = 'whatsapp_user_id' and o.whatsapp_user_id = i.value
    where i.user_id = private.find_user_id($1, $1)
    union
    select r.order_id from public.order_references r where r.reference_id = $1
    union
    select p.order_id from public.payments p where p.id = $1
    union
    select p.order_id
    from public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    where r.id = $1
  )
  select
    o.id,
    jsonb_build_object(
      'order', to_jsonb(o),
      'phone_number', coalesce(u.phone_number, o.phone_number),
      'balance', u.credits,
      'debt_credits', u.debt_credits,
      'payments', coalesce((
        select jsonb_agg(
          to_jsonb(p) || jsonb_build_object('reversals', coalesce((
            select jsonb_agg(to_jsonb(r) order by r.created_at)
            from public.payment_reversals r where r.payment_id = p.id
          ), '[]'::jsonb))
          order by p.created_at
        )
        from public.payments p where p.order_id = o.id
      ), '[]'::jsonb),
      -- By their references, because the entries stay with the account that had the order then, even if
      -- it was merged into another one.
      'transactions', coalesce((
        select jsonb_agg(to_jsonb(t) order by t.created_at, t.sequence_number)
        from (
          select t.*
          from public.payments p
          join public.credit_transactions t on t.source = 'payment' and t.reference_id = p.id
          where p.order_id = o.id
          union all
          select t.*
          from public.payments p
          join public.payment_reversals r on r.payment_id = p.id
          join public.credit_transactions t
            on t.source in ('refund', 'dispute') and t.reference_id = r.id
          where p.order_id = o.id
        ) t
      ), '[]'::jsonb),
      'webhook_deliveries', coalesce((
        select jsonb_agg(to_jsonb(d) order by d.id)
        from (
          select d.id, d.event_id, d.event, d.razorpay_order_id, d.razorpay_payment_id, d.outcome,
            d.received_at, d.finished_at
          from public.webhook_deliveries d where d.razorpay_order_id = o.razorpay_order_id
          union
          select d.id, d.event_id, d.event, d.razorpay_order_id, d.razorpay_payment_id, d.outcome,
            d.received_at, d.finished_at
          from public.payments p
          join public.webhook_deliveries d on d.razorpay_payment_id = p.id
          where p.order_id = o.id
        ) d
      ), '[]'::jsonb),
      'operator_actions', coalesce((
        select jsonb_agg(to_jsonb(a) order by a.id)
        from public.operator_actions a where a.order_id = o.id
      ), '[]'::jsonb)
    )
  from found f
  join public.payment_orders o on o.id = f.id
  left join public.users u
    on u.id = coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id))
  order by o.created_at desc;
$$;

comment on function public.find_payments is
  'One row per order, newest first. search: a Razorpay order, payment, payment link, refund or dispute id, our order id or receipt, a bot''s reference, a phone number in E.164 or a WhatsApp user id.';
