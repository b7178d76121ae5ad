-- Grants what an order promised, once, when Razorpay has captured a payment of its amount.
create function public.settle_payment(
  razorpay_order_id text,
  razorpay_payment_id text,
  payment_status text,
  amount_paise integer,
  currency text
)
returns table (outcome text, credits_added integer, remaining_credits integer)
language plpgsql
-- The tables are closed to every role; only this function's owner may write them.
security definer
set search_path = ''
set lock_timeout = '3s'
as $$
#variable_conflict use_column
declare
  v_order public.payment_orders;
begin
  -- Locks are always taken in one order, the user before the order, so that no two calls wait for
  -- each other.
  perform from public.users u
  where u.id = (
    select o.user_id from public.payment_orders o
    where o.razorpay_order_id = settle_payment.razorpay_order_id
  )
  for no key update;

  select o.* into v_order from public.payment_orders o
  where o.razorpay_order_id = settle_payment.razorpay_order_id
  for no key update;

  if not found then
    outcome := 'order_not_found';
  elsif v_order.razorpay_payment_id = settle_payment.razorpay_payment_id then
    -- Whoever reports a payment again is answered as the first reporter was.
    outcome := 'replayed';
    credits_added := v_order.credits;
    select t.balance_after into strict remaining_credits from public.credit_transactions t
    where t.user_id = v_order.user_id
      and t.source = 'payment'
      and t.reference_id = settle_payment.razorpay_payment_id;
  elsif v_order.state = 'paid' then
    outcome := 'paid_by_another_payment';
  elsif v_order.amount_paise <> settle_payment.amount_paise
    or v_order.currency <> settle_payment.currency
  then
    outcome := 'amount_mismatch';
  elsif settle_payment.payment_status = 'refunded' then
    outcome := 'payment_refunded';
  elsif settle_payment.payment_status <> 'captured' then
    outcome := 'not_captured';
  else
    outcome := 'settled';
    update public.payment_orders o
    set state = 'paid',
        razorpay_payment_id = settle_payment.razorpay_payment_id,
        paid_at = clock_timestamp()
    where o.id = v_order.id;
    credits_added := v_order.credits;
    remaining_credits := private.grant_credits(
      v_order.user_id, v_order.credits, 'payment', settle_payment.razorpay_payment_id
    );
  end if;

  return next;
end;
$$;

comment on function public.settle_payment(text, text, text, integer, text) is
  'One row. outcome: settled; replayed (this payment settled this order before: the figures are those of that moment); order_not_found; paid_by_another_payment; amount_mismatch; payment_refunded; not_captured (yet: also a failed payment may still be captured). Only the first changes anything.';

revoke execute on function public.settle_payment(text, text, text, integer, text)
  from public, anon, authenticated;
grant execute on function public.settle_payment(text, text, text, integer, text) to service_role;
