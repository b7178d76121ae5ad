-- Hands out the orders that Razorpay should be asked about now, each to one caller.
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
  -- The reconciler comes by every few minutes anyway, and counters that have run out are nobody's.
  delete from public.rate_counters c
  using (
    select r.action, r.scope, r.subject
    from public.rate_counters r
    where r.window_ends_at < clock_timestamp()
    -- One that is being counted starts anew, and its caller must not be waited for.
    for update skip locked
  ) forgotten
  where c.action = forgotten.action and c.scope = forgotten.scope and c.subject = forgotten.subject;

  with due as (
    select o.id
    from public.payment_orders o
    where o.next_check_at <= clock_timestamp()
      and o.key_mode = $2
      -- An order that Razorpay never heard of cannot have been paid.
      and num_nonnulls(o.razorpay_order_id, o.razorpay_payment_link_id) > 0
    order by o.next_check_at
    limit $1
    for no key update skip locked
  )
  update public.payment_orders o
  -- A claim that is cut off, or that Razorpay gives no answer to, runs out by itself: the sooner the
  -- younger the order, so that one that Razorpay never answers for is asked about ever more rarely.
  set next_check_at = clock_timestamp()
    + greatest(interval '2 minutes', (clock_timestamp() - o.created_at) / 20)
  from due
  where o.id = due.id
  returning o.id, o.razorpay_order_id, o.razorpay_payment_link_id;
$$;

comment on function public.claim_orders_to_check is
  'At most batch_size orders, the longest overdue first; two callers at once get different ones. finish_order_check ends a claim.';
