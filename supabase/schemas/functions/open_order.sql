-- Stores the id that Razorpay gave to an order.
create function public.open_order(order_id uuid, razorpay_order_id text)
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
  -- The first id stays. Another call that asked Razorpay at the same moment answers with it too,
  -- and its own Razorpay order is never paid because nobody is given its id.
  update public.payment_orders o
  set razorpay_order_id = open_order.razorpay_order_id,
      state = 'open',
      opened_at = clock_timestamp()
  where o.id = open_order.order_id and o.state = 'pending';

  select o.razorpay_order_id into v_razorpay_order_id from public.payment_orders o
  where o.id = open_order.order_id;
  return v_razorpay_order_id;
end;
$$;

comment on function public.open_order is
  'The Razorpay order id that the order has now: the given one, or the one that was stored before it. Null when there is no such order.';
