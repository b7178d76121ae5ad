-- What an operator needs to know about an order.
create function private.order_details(order_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'order_id', o.id,
      'state', o.state,
      'channel', o.channel,
      'phone_number', o.phone_number,
      'whatsapp_user_id', o.whatsapp_user_id,
      'package_id', o.package_id,
      'credits', o.credits,
      'amount_paise', o.amount_paise,
      'razorpay_order_id', o.razorpay_order_id,
      'created_at', o.created_at,
      'paid_at', o.paid_at,
      'payments', coalesce((
        select jsonb_agg(
          jsonb_build_object(
            'payment_id', p.id,
            'status', p.status,
            'amount_paise', p.amount_paise,
            'returned_paise', coalesce((
              select sum(r.amount_paise) from public.payment_reversals r
              where r.payment_id = p.id and r.is_money_gone
            ), 0),
            'credits_granted', p.credits_granted,
            'flag', p.flag,
            'created_at', p.created_at
          )
          order by p.created_at desc
        )
        from (
          select p.* from public.payments p
          where p.order_id = o.id
          order by p.created_at desc
          limit 20
        ) p
      ), '[]')
    )
    from public.payment_orders o
    where o.id = order_details.order_id
  );
end;
$$;

comment on function private.order_details is
  'Part of find_customers. The newest 20 payments: an order may see any number of failed ones.';
