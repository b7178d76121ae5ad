-- Marks the order paid by a payment whose money we still hold, and grants its credits.
create function private.pay_order(order_id uuid, user_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_order public.payment_orders;
  v_payment_id text;
  v_is_first_grant boolean;
begin
  select o.* into strict v_order from public.payment_orders o where o.id = pay_order.order_id;

  -- The first payment counts for as long as we hold any of its money. If an order is paid twice, one of
  -- the two is refunded, and not always the second: once all of the first payment's money has been
  -- returned, its credits are gone too, and another payment whose money we hold buys them again.
  --
  -- Whoever was erased buys nothing any more.
  if v_order.erased_at is not null
    or v_order.state = 'paid' and private.net_paise(v_order.razorpay_payment_id) > 0
  then
    v_payment_id := v_order.razorpay_payment_id;
  else
    select coalesce(
      (
        select p.id from public.payments p
        where p.order_id = v_order.id
          and p.amount_paise = v_order.amount_paise
          and p.currency = v_order.currency
          and private.net_paise(p.id) > 0
        order by p.created_at, p.id
        limit 1
      ),
      v_order.razorpay_payment_id
    ) into v_payment_id;
  end if;

  -- Captured money that buys nothing is for an operator to return.
  update public.payments p
  set flag = case
    when p.amount_paise <> v_order.amount_paise or p.currency <> v_order.currency
    then 'amount_mismatch'
    when v_payment_id is null then 'user_erased'
    else 'second_payment'
  end
  where p.order_id = v_order.id
    and p.status in ('captured', 'refunded')
    and p.flag is null
    and (p.id <> v_payment_id
      or v_order.erased_at is not null and v_payment_id is null
      or p.amount_paise <> v_order.amount_paise
      or p.currency <> v_order.currency);

  if v_payment_id is not distinct from v_order.razorpay_payment_id then
    return true;
  elsif pay_order.user_id is null then
    return false;
  end if;

  update public.payments p set flag = null where p.id = v_payment_id;
  update public.payment_orders o
  set state = 'paid',
      user_id = pay_order.user_id,
      razorpay_payment_id = v_payment_id,
      paid_at = coalesce(o.paid_at, clock_timestamp()),
      -- Watched for refunds from now on, even if it had been given up as unpaid.
      next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
  where o.id = v_order.id;

  -- A payment that paid the order earlier got its credits then, and gets them back from the reversals
  -- that failed.
  v_is_first_grant := exists (
    select from public.payments p where p.id = v_payment_id and p.credits_granted = 0
  );
  if v_is_first_grant then
    perform private.post_entry(
      pay_order.user_id, 'credit', v_order.credits, 'payment', v_payment_id
    );
    perform private.collect_debts(pay_order.user_id);
    update public.payments p
    set credits_granted = v_order.credits,
        balance_after_grant = u.credits,
        remaining_after_grant = private.remaining_credits(u),
        granted_at = clock_timestamp()
    from public.users u
    where p.id = v_payment_id and u.id = pay_order.user_id;
    perform private.tell(
      pay_order.user_id, 'credits.granted',
      jsonb_build_object(
        'source', 'payment', 'credits_added', v_order.credits, 'payment_id', v_payment_id
      ),
      v_order.id
    );
  end if;
  perform private.apply_reversals(pay_order.user_id, v_payment_id);
  if v_is_first_grant then
    -- The customer is told what is left, even if a part went back before the first report.
    update public.payments p
    set balance_after_grant = u.credits,
        remaining_after_grant = private.remaining_credits(u)
    from public.users u
    where p.id = v_payment_id and u.id = pay_order.user_id;
  end if;
  return true;
end;
$$;

comment on function private.pay_order is
  'Idempotent. Grants nothing if we hold no money of any payment of the order, or if whoever it was for was erased. user_id is the order''s user, locked. Returns false if user_id is null although a payment is about to be granted.';
