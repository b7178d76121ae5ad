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
  -- Often while the order is young, less and less often later. A late authorization can arrive for five
  -- days, and a refund that no webhook reported, for half a year.
  update public.payment_orders o
  set next_check_at = case
    when clock_timestamp() - o.created_at
      < case o.state when 'paid' then interval '180 days' else interval '6 days' end
    then clock_timestamp() + greatest(interval '5 minutes', (clock_timestamp() - o.created_at) / 2)
  end
  where o.id = $1;
$$;

comment on function public.finish_order_check is
  'Ends a claim of claim_orders_to_check.';
