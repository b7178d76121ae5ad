-- Has an order paid by a payment whose money is here, and grants its credits.
create function private.pay_order(order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order public.payment_orders;
  v_payment_id text;
begin
  select o.* into strict v_order from public.payment_orders o where o.id = pay_order.order_id;

  -- The first payment stays, as long as any of its money does. Razorpay refunds the second one of
  -- two, and may report it before the first: when all of the first one's money is gone, so are its
  -- credits, and another payment that was kept buys them anew.
  if v_order.state = 'paid' and private.kept_paise(v_order.razorpay_payment_id) > 0 then
    v_payment_id := v_order.razorpay_payment_id;
  else
    select coalesce(
      (
        select p.id from public.payments p
        where p.order_id = v_order.id
          and p.amount_paise = v_order.amount_paise
          and p.currency = v_order.currency
          and private.kept_paise(p.id) > 0
        order by p.created_at, p.id
        limit 1
      ),
      v_order.razorpay_payment_id
    ) into v_payment_id;
  end if;

  -- Captured money that buys nothing is an operator's to look after.
  update public.payments p
  set flag = case
    when p.amount_paise = v_order.amount_paise and p.currency = v_order.currency
    then 'second_payment' else 'amount_mismatch'
  end
  where p.order_id = v_order.id
    and p.status in ('captured', 'refunded')
    and p.flag is null
    and (p.id <> v_payment_id
      or p.amount_paise <> v_order.amount_paise
      or p.currency <> v_order.currency);

  if v_payment_id is not distinct from v_order.razorpay_payment_id then
    return;
  end if;

  update public.payments p set flag = null where p.id = v_payment_id;
  update public.payment_orders o
  set state = 'paid',
      razorpay_payment_id = v_payment_id,
      paid_at = coalesce(o.paid_at, clock_timestamp())
  where o.id = v_order.id;

  -- A payment that paid the order before gets its credits from the refund that failed.
  if exists (select from public.payments p where p.id = v_payment_id and p.credits_granted = 0) then
    perform private.post_entry(
      v_order.user_id, 'credit', v_order.credits, 'payment', v_payment_id
    );
    update public.payments p
    set credits_granted = v_order.credits,
        balance_after_grant = private.collect_debts(v_order.user_id),
        granted_at = clock_timestamp()
    where p.id = v_payment_id;
  end if;
  perform private.balance_reversals(v_order.user_id, v_payment_id);
end;
$$;

comment on function private.pay_order is
  'Idempotent. An order without a payment whose money is here stays as it is.';
