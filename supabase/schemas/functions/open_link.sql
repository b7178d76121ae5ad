-- Stores the payment link that Razorpay made for an order.
create function public.open_link(
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
  set razorpay_payment_link_id = open_link.razorpay_payment_link_id,
      short_url = open_link.short_url,
      expires_at = open_link.expires_at
  where o.id = open_link.order_id and o.channel = 'link' and o.razorpay_payment_link_id is null;

  return query select o.short_url, o.expires_at from public.payment_orders o
  where o.id = open_link.order_id;
end;
$$;

comment on function public.open_link is
  'The link that the order has now: the given one, or the one that was stored before it.';
