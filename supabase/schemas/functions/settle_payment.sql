-- Books what Razorpay reports about one payment. verify-payment, the webhook and the reconciler all come
-- here, in any order and any number of times.
create function public.settle_payment(
  razorpay_order_id text,
  razorpay_payment_id text,
  payment_status text,
  amount_paise integer,
  currency text,
  reversals jsonb default '[]',
  receipt text default null,
  identity_hashes text[] default null
)
returns table (
  outcome text,
  credits_added integer,
  remaining_credits integer,
  phone_number text,
  whatsapp_user_id text
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  -- A failed payment may still be authorized or captured: the bank responds late, or the customer
  -- tries again within the same payment (Razorpay docs, webhooks/payments.md).
  v_steps constant text[] := array['created', 'failed', 'authorized', 'captured', 'refunded'];
  v_is_settled boolean := false;
  v_is_user_needed boolean := false;
  v_user_id uuid;
  v_user public.users;
  v_order public.payment_orders;
  v_payment public.payments;
  v_reversal jsonb;
  v_was_granted boolean;
  v_former_status text;
begin
  for v_attempt in 1..10 loop
    begin
      select o.* into v_order from public.payment_orders o
      where o.razorpay_order_id = settle_payment.razorpay_order_id;

      -- A payment may arrive before its Razorpay order is known: the response to create-order was cut
      -- off, or a payment link got its order when the customer started to pay. The receipt, which is our
      -- order's id without hyphens, then tells which order it is.
      if not found and settle_payment.receipt ~ '^[0-9a-f]{32}$' then
        select o.* into v_order from public.payment_orders o
        where o.id = settle_payment.receipt::uuid;
      end if;

      -- The user comes before the order. A new user is created only once it is clear that there is
      -- money.
      v_user_id := coalesce(
        v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
      );
      if v_user_id is null and v_is_user_needed then
        v_user_id := (
          private.ensure_user(
            v_order.phone_number, v_order.whatsapp_user_id, settle_payment.identity_hashes
          )
        ).id;
        if v_user_id is null then
          outcome := 'identity_hashes_needed';
          phone_number := v_order.phone_number;
          whatsapp_user_id := v_order.whatsapp_user_id;
          return next;
          return;
        end if;
      end if;
      select u.* into v_user from public.users u where u.id = v_user_id for no key update;
      select o.* into v_order from public.payment_orders o where o.id = v_order.id
      for no key update;

      -- The call that held the locks may have merged or erased the account, created one for the number,
      -- or paid the order.
      if v_user.merged_into is not null
        or v_user_id is distinct from coalesce(
          v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
        )
      then
        raise exception 'the order has meanwhile gone to another user'
          using errcode = 'serialization_failure';
      end if;

      perform private.end_expired_holds(v_user);

      if v_order.state = 'pending' then
        update public.payment_orders o
        set razorpay_order_id = settle_payment.razorpay_order_id,
            state = 'open',
            opened_at = clock_timestamp(),
            next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
        where o.id = v_order.id
        returning * into v_order;
      end if;

      if v_order.id is null or v_order.razorpay_order_id <> settle_payment.razorpay_order_id then
        outcome := 'not_ours';
        return next;
        return;
      end if;

      select p.status into v_former_status from public.payments p
      where p.id = settle_payment.razorpay_payment_id;
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

      update public.payment_orders o set tried_at = clock_timestamp()
      where o.id = v_order.id and o.tried_at is null;

      for v_reversal in select * from jsonb_array_elements(settle_payment.reversals) loop
        perform private.record_reversal(v_payment.id, v_reversal);
      end loop;
      -- The payment that has paid the order comes first: what it lost is taken back before another
      -- payment may take over and add its credits.
      perform private.apply_reversals(v_order.user_id, v_order.razorpay_payment_id);
      if not private.pay_order(v_order.id, v_user_id) then
        v_is_user_needed := true;
        raise exception 'the first purchase of this number needs a user'
          using errcode = 'serialization_failure';
      end if;
      v_is_settled := true;
      exit;
    exception
      -- Start over, with none of these locks and nothing written.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  if not v_is_settled then
    raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
  end if;

  v_was_granted := v_payment.credits_granted > 0;
  select o.* into strict v_order from public.payment_orders o where o.id = v_order.id;
  select p.* into strict v_payment from public.payments p where p.id = v_payment.id;

  -- Who has paid meanwhile need not hear of an attempt that failed before.
  if v_payment.status = 'failed' and v_former_status is distinct from 'failed'
    and v_order.state <> 'paid'
  then
    perform private.tell(
      v_user_id, 'payment.failed', jsonb_build_object('payment_id', v_payment.id), v_order.id
    );
  end if;

  if v_payment.status in ('captured', 'refunded') and private.net_paise(v_payment.id) = 0 then
    -- Money that came and went buys nothing.
    outcome := 'payment_refunded';
  elsif v_order.amount_paise <> v_payment.amount_paise or v_order.currency <> v_payment.currency then
    outcome := 'amount_mismatch';
  elsif v_payment.status not in ('captured', 'refunded') then
    outcome := 'not_captured';
  elsif v_order.state <> 'paid' then
    outcome := 'user_erased';
  elsif v_order.razorpay_payment_id <> v_payment.id then
    outcome := 'paid_by_another_payment';
  else
    -- A repeated report returns the same figures as the first one.
    outcome := case when v_was_granted then 'replayed' else 'settled' end;
    credits_added := v_payment.credits_granted;
    remaining_credits := coalesce(v_payment.remaining_after_grant, v_payment.balance_after_grant);
  end if;

  return next;
end;
$$;

comment on function public.settle_payment is
  'One row. outcome: settled; replayed (this payment settled this order before: the figures are those of that moment); payment_refunded (all of its money was returned, and what it had bought was revoked); not_ours (no order of ours has this Razorpay order, and none that is still pending has the receipt); paid_by_another_payment and amount_mismatch (it buys nothing; flagged once captured); user_erased (whoever the order was for was erased before it was paid: it buys nothing, and is flagged); not_captured (yet: even a failed payment may still be captured); identity_hashes_needed (by whoever is named: see private.is_welcome; nothing was written). reversals: see private.record_reversal.';
