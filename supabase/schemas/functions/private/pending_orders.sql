-- Lists the orders on which a payment is under way: somebody tried to pay, and it neither failed nor
-- succeeded.
create function private.pending_orders(user_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
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
$$;

comment on function private.pending_orders is
  'At most 10, the newest first: razorpay_order_id, package_id, package_name, credits, amount_paise, created_at.';
