-- Stores the payment link that Razorpay created for an order.
create function public.attach_payment_link(
  order_id uuid,
  razorpay_payment_link_id text,
  short_url text,
  expires_at timestamptz
)
returns table (stored_short_url text, stored_expires_at timestamptz)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
begin
  -- The first link stays, so that calls at the same moment hand out one link.
  update public.payment_orders o
  set razorpay_payment_link_id = attach_payment_link.razorpay_payment_link_id,
      short_url = attach_payment_link.short_url,
      expires_at = attach_payment_link.expires_at,
      next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
  where o.id = attach_payment_link.order_id and o.channel = 'link' and o.razorpay_payment_link_id is null;

  return query select o.short_url, o.expires_at from public.payment_orders o
  where o.id = attach_payment_link.order_id;
end;
$$;

comment on function public.attach_payment_link is
  'Returns the link that the order has now: the given one, or one that was stored earlier.';
