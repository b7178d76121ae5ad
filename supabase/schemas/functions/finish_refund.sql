-- Records what came of a refund that an operator asked for, and books it.
create function public.finish_refund(
  reference_id text,
  refund jsonb default null,
  refusal text default null
)
returns table (outcome text, result jsonb)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_asked public.operator_actions;
  v_payment public.payments;
  v_order public.payment_orders;
  v_user public.users;
  v_before jsonb;
begin
  if num_nonnulls(finish_refund.refund, finish_refund.refusal) <> 1 then
    raise exception 'Razorpay either made a refund or refused it'
      using errcode = 'invalid_parameter_value';
  end if;

  select a.* into v_asked from public.operator_actions a
  where a.reference_id = finish_refund.reference_id and a.outcome = 'asked';
  select r.outcome, r.result into outcome, result
  from private.repeated_action('refund-payment', finish_refund.reference_id, v_asked.request) r;
  if outcome is distinct from 'asked' then
    outcome := case outcome when 'refunded' then 'replayed' else outcome end;
    return next;
    return;
  end if;

  select p.* into strict v_payment from public.payments p where p.id = v_asked.payment_id;
  select o.* into strict v_order from public.payment_orders o where o.id = v_payment.order_id;
  v_user := private.lock_account(v_order.user_id);
  v_before := private.account_state(v_user);

  if finish_refund.refund is null then
    outcome := 'refused';
    result := jsonb_build_object('refusal', finish_refund.refusal);
  else
    outcome := 'refunded';
    result := jsonb_build_object(
      'refund_id', finish_refund.refund -> 'id',
      'status', finish_refund.refund -> 'status',
      'amount_paise', finish_refund.refund -> 'amount_paise'
    );
    perform public.settle_payment(
      v_order.razorpay_order_id, v_payment.id, v_payment.status, v_payment.amount_paise,
      v_payment.currency, jsonb_build_array(finish_refund.refund)
    );
  end if;

  select u.* into v_user from public.users u where u.id = v_user.id;
  perform private.record_action(
    'refund-payment', v_asked.operator, v_asked.reason, outcome,
    user_id => v_user.id, order_id => v_order.id, payment_id => v_payment.id,
    before => v_before, after => private.account_state(v_user), result => result,
    completes => v_asked.id, operator_id => v_asked.operator_id
  );
  return next;
end;
$$;

comment on function public.finish_refund is
  'One row. refund: as a reversal of settle_payment, which books it. refusal: why Razorpay made none. outcome: refunded, with result {refund_id, status, amount_paise}; replayed, with that of an earlier call for the same reference; or refused, by this call or an earlier one, with result {refusal}.';
