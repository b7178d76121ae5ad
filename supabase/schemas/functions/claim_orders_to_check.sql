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
  -- Due as of the start of the statement, because no index serves a comparison with clock_timestamp().
  --
  -- An order that somebody tried to pay goes first, and then one that was never checked: its customer may
  -- have paid without a report. Neither waits behind orders that were checked before, of which anybody
  -- can make thousands.
  with tried as (
    select o.id
    from public.payment_orders o
    where o.next_check_at <= statement_timestamp()
      and o.state = 'open'
      and o.tried_at is not null
      and o.key_mode = $2
    order by o.next_check_at
    limit $1
    for no key update skip locked
  ),
  unchecked as (
    select o.id
    from public.payment_orders o
    where o.next_check_at <= statement_timestamp()
      and o.state <> 'paid'
      and o.tried_at is null
      and o.checked_at is null
      and o.key_mode = $2
    order by o.next_check_at
    limit $1 - (select count(*) from tried)
    for no key update skip locked
  ),
  others as (
    select o.id
    from public.payment_orders o
    where o.next_check_at <= statement_timestamp()
      and (o.state <> 'open' or o.tried_at is null)
      and (o.state = 'paid' or o.checked_at is not null)
      and o.key_mode = $2
    order by o.next_check_at
    limit $1 - (select count(*) from tried) - (select count(*) from unchecked)
    for no key update skip locked
  )
  update public.payment_orders o
  -- A claim that is never finished, because the caller was cut off or Razorpay did not respond, expires.
  -- It takes longer for an older order, so that one that keeps failing is tried less and less often.
  set next_check_at = clock_timestamp()
    + greatest(interval '2 minutes', (clock_timestamp() - o.created_at) / 20)
  -- An array, because the planner assumes that an unknown limit is a tenth of the table, and for a join
  -- it would read all of it.
  where o.id = any (array(
    select t.id from tried t
    union all select c.id from unchecked c
    union all select x.id from others x
  ))
  returning o.id, o.razorpay_order_id, o.razorpay_payment_link_id;
$$;

comment on function public.claim_orders_to_check is
  'Returns at most batch_size orders: first the unpaid ones that somebody tried to pay, then those that were never checked, then the others; of each kind the longest overdue first. Concurrent callers get different ones. finish_order_check ends a claim.';
