-- Stores the id that Razorpay gave an order.
create function public.attach_razorpay_order(order_id uuid, razorpay_order_id text)
returns text
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
declare
  v_razorpay_order_id text;
begin
  -- The first id stays. Another call that asked Razorpay at the same moment returns this id as well, and
  -- its own Razorpay order is never paid because nobody is given that id.
  update public.payment_orders o
  set razorpay_order_id = attach_razorpay_order.razorpay_order_id,
      state = 'open',
      opened_at = clock_timestamp(),
      next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
  where o.id = attach_razorpay_order.order_id and o.state = 'pending';

  select o.razorpay_order_id into v_razorpay_order_id from public.payment_orders o
  where o.id = attach_razorpay_order.order_id;
  return v_razorpay_order_id;
end;
$$;

comment on function public.attach_razorpay_order is
  'Returns the Razorpay order id that the order has now: the given one, or one that was stored earlier. Null if there is no such order.';
