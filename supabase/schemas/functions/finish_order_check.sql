-- Plans when Razorpay is asked about an order next.
create function public.finish_order_check(order_id uuid)
returns void
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  with watched as (
    select
      o.id,
      o.tried_at,
      clock_timestamp() - coalesce(o.paid_at, o.created_at) as age,
      -- A late authorization can arrive for five days, and a refund that no webhook reported, for half
      -- a year.
      case o.state when 'paid' then interval '180 days' else interval '6 days' end as watched_for
    from public.payment_orders o
    where o.id = $1
    -- So that nobody pays it meanwhile.
    for no key update
  )
  update public.payment_orders o
  -- Often while the order is young, less and less often later. An order that nobody has tried to pay
  -- will hardly ever be paid: it is checked after 5 minutes, after half an hour, and then four more
  -- times, the last one when its watch ends.
  set checked_at = clock_timestamp(),
      next_check_at = case
        when w.age >= w.watched_for then null
        when w.tried_at is null then
          clock_timestamp() + least(greatest(interval '5 minutes', w.age * 5), w.watched_for - w.age)
        else clock_timestamp() + greatest(interval '5 minutes', w.age / 2)
      end
  from watched w
  where o.id = w.id;
$$;

comment on function public.finish_order_check is
  'Ends a claim of claim_orders_to_check.';
