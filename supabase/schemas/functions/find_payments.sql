-- Returns everything recorded about an order, for an operator.
create function public.find_payments(search text)
returns table (order_id uuid, life jsonb)
language sql
stable
security definer
set search_path = ''
as $$
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
      'transactions', coalesce((
        select jsonb_agg(to_jsonb(t) order by t.sequence_number)
        from public.credit_transactions t
        where t.user_id = o.user_id and t.reference_id in (
          select p.id from public.payments p where p.order_id = o.id
          union all
          select r.id from public.payment_reversals r
          join public.payments p on p.id = r.payment_id
          where p.order_id = o.id
        )
      ), '[]'::jsonb),
      'webhook_deliveries', coalesce((
        select jsonb_agg(to_jsonb(d) - 'payload' order by d.id)
        from public.webhook_deliveries d
        where d.razorpay_order_id = o.razorpay_order_id
          or d.razorpay_payment_id in (select p.id from public.payments p where p.order_id = o.id)
      ), '[]'::jsonb),
      'operator_actions', coalesce((
        select jsonb_agg(to_jsonb(a) order by a.id)
        from public.operator_actions a where a.order_id = o.id
      ), '[]'::jsonb)
    )
  from public.payment_orders o
  left join public.users u
    on u.id = coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id))
  where $1 in (o.razorpay_order_id, o.razorpay_payment_link_id)
    or exists (
      select from public.order_references r where r.order_id = o.id and r.reference_id = $1
    )
    or u.id = private.find_user_id($1, $1)
    or $1 in (o.phone_number, o.whatsapp_user_id)
    -- The receipt is the order's id without hyphens.
    or replace($1, '-', '') = replace(o.id::text, '-', '')
    or exists (
      select from public.payments p
      left join public.payment_reversals r on r.payment_id = p.id
      where p.order_id = o.id and $1 in (p.id, r.id)
    )
  order by o.created_at desc;
$$;

comment on function public.find_payments is
  'One row per order, newest first. search: a Razorpay order, payment, payment link, refund or dispute id, our order id or receipt, a bot''s reference, a phone number in E.164 or a WhatsApp user id.';
