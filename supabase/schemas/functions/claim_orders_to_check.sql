-- Hands out the orders that Razorpay should be asked about now, each to one caller only.
create function public.claim_orders_to_check(batch_size integer, key_mode text)
returns table (
  order_id uuid,
  razorpay_order_id text,
  razorpay_payment_link_id text
)
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  with due as (
    select o.id
    from public.payment_orders o
    where o.next_check_at <= clock_timestamp()
      and o.key_mode = $2
      -- An order that Razorpay does not know cannot have been paid.
      and num_nonnulls(o.razorpay_order_id, o.razorpay_payment_link_id) > 0
    order by o.next_check_at
    limit $1
    for no key update skip locked
  )
  update public.payment_orders o
  -- A claim that is never finished, because the caller was cut off or Razorpay did not respond, expires.
  -- It takes longer for an older order, so that one that keeps failing is tried less and less often.
  set next_check_at = clock_timestamp()
    + greatest(interval '2 minutes', (clock_timestamp() - o.created_at) / 20)
  from due
  where o.id = due.id
  returning o.id, o.razorpay_order_id, o.razorpay_payment_link_id;
$$;

comment on function public.claim_orders_to_check is
  'Returns at most batch_size orders, longest overdue first; concurrent callers get different ones. finish_order_check ends a claim.';
