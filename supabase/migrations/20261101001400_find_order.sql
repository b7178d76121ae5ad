-- Reads an order by the id that Razorpay knows it by.
create function public.find_order(razorpay_order_id text)
returns table (
  phone_number text,
  package_id text,
  key_mode text,
  credits integer,
  razorpay_payment_id text,
  balance_after_payment integer
)
language sql
stable
-- The tables are closed to every role; only this function's owner may read them.
security definer
set search_path = ''
as $$
  select u.phone_number, o.package_id, o.key_mode, o.credits, o.razorpay_payment_id,
    p.balance_after_grant
  from public.payment_orders o
  join public.users u on u.id = o.user_id
  left join public.payments p on p.id = o.razorpay_payment_id
  where o.razorpay_order_id = $1;
$$;

comment on function public.find_order(text) is
  'One row, or none when no order of ours has this Razorpay order id. The payment and the balance after it are null until the order is paid.';

revoke execute on function public.find_order(text) from public, anon, authenticated;
grant execute on function public.find_order(text) to service_role;
