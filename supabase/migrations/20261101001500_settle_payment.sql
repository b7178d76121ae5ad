-- Books what Razorpay says of one payment. verify-payment, the webhook and the reconciler all come
-- here, in any order and any number of times.
create function public.settle_payment(
  razorpay_order_id text,
  razorpay_payment_id text,
  payment_status text,
  amount_paise integer,
  currency text,
  reversals jsonb default '[]'
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
  -- A failed payment may still be authorized or captured: the bank answers late, or the customer
  -- tries again within the same payment (Razorpay docs, webhooks/payments.md).
  v_steps constant text[] := array['created', 'failed', 'authorized', 'captured', 'refunded'];
  v_order public.payment_orders;
  v_payment public.payments;
  v_reversal jsonb;
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
    return next;
    return;
  end if;

  insert into public.payments as p (id, order_id, status, amount_paise, currency)
  values (settle_payment.razorpay_payment_id, v_order.id, settle_payment.payment_status,
    settle_payment.amount_paise, settle_payment.currency)
  on conflict (id) do update
  -- Reports arrive in any order; a payment only moves forward.
  set status = v_steps[greatest(
    array_position(v_steps, p.status), array_position(v_steps, excluded.status)
  )]
  where p.order_id = excluded.order_id
  returning * into v_payment;

  if v_payment.id is null then
    raise exception 'payment % belongs to another order', settle_payment.razorpay_payment_id
      using errcode = 'integrity_constraint_violation';
  end if;

  if v_payment.credits_granted > 0 then
    -- Whoever reports a payment again is answered as the first reporter was.
    outcome := 'replayed';
  elsif v_order.amount_paise <> v_payment.amount_paise or v_order.currency <> v_payment.currency then
    outcome := 'amount_mismatch';
  elsif v_payment.status not in ('captured', 'refunded') then
    outcome := 'not_captured';
  elsif v_order.state = 'paid' then
    outcome := 'paid_by_another_payment';
  else
    outcome := 'settled';
    perform private.post_entry(
      v_order.user_id, 'credit', v_order.credits, 'payment', v_payment.id
    );
    update public.payments p
    set credits_granted = v_order.credits,
        balance_after_grant = private.collect_debts(v_order.user_id),
        granted_at = clock_timestamp()
    where p.id = v_payment.id
    returning * into v_payment;
    update public.payment_orders o
    set state = 'paid',
        razorpay_payment_id = v_payment.id,
        paid_at = clock_timestamp()
    where o.id = v_order.id;
  end if;

  -- Captured money that buys nothing is an operator's to look after.
  if v_payment.status in ('captured', 'refunded')
    and outcome in ('amount_mismatch', 'paid_by_another_payment')
  then
    update public.payments p
    set flag = case outcome when 'amount_mismatch' then outcome else 'second_payment' end
    where p.id = v_payment.id and p.flag is null;
  end if;

  for v_reversal in select * from jsonb_array_elements(settle_payment.reversals) loop
    perform private.record_reversal(v_order.user_id, v_payment.id, v_reversal);
  end loop;

  if outcome in ('settled', 'replayed') then
    credits_added := v_payment.credits_granted;
    remaining_credits := v_payment.balance_after_grant;
    -- Money that came and went bought nothing.
    if v_payment.credits_granted = (
      select sum(r.credits_taken) from public.payment_reversals r where r.payment_id = v_payment.id
    ) then
      outcome := 'payment_refunded';
    end if;
  end if;

  return next;
end;
$$;

comment on function public.settle_payment(text, text, text, integer, text, jsonb) is
  'One row. outcome: settled; replayed (this payment settled this order before: the figures are those of that moment); payment_refunded (settled, and all of it taken back); order_not_found; paid_by_another_payment and amount_mismatch (nothing granted; flagged once captured); not_captured (yet: also a failed payment may still be captured). reversals: see private.record_reversal.';

revoke execute on function public.settle_payment(text, text, text, integer, text, jsonb)
  from public, anon, authenticated;
grant execute on function public.settle_payment(text, text, text, integer, text, jsonb)
  to service_role;
