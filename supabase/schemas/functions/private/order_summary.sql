-- What an operator needs to know about an order, without its payments.
create function private.order_summary(intent public.payment_orders)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'order_id', (intent).id,
    'state', (intent).state,
    'channel', (intent).channel,
    'phone_number', (intent).phone_number,
    'whatsapp_user_id', (intent).whatsapp_user_id,
    'package_id', (intent).package_id,
    'credits', (intent).credits,
    'amount_paise', (intent).amount_paise,
    'razorpay_order_id', (intent).razorpay_order_id,
    'created_at', (intent).created_at,
    'paid_at', (intent).paid_at
  );
end;
$$;

comment on function private.order_summary is
  'Part of order_details and order_life.';
