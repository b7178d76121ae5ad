-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

-- The lock of the order makes refunds of a payment take turns as well, so theirs is not needed.

SET local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.ask_refund (
  payment_id   text,
  operator     text,
  reason       text,
  reference_id text,
  amount_paise integer DEFAULT NULL::integer,
  operator_id  uuid    DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome      text,
    result       jsonb,
    refund_paise integer,
    refund_key   text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_min_paise constant integer := 100;
  v_request constant jsonb := jsonb_build_object(
    'payment_id', ask_refund.payment_id, 'amount_paise', ask_refund.amount_paise
  );
  v_action_id bigint;
  v_payment public.payments;
  v_left bigint;
begin
  select r.outcome, r.result, r.action_id into outcome, result, v_action_id
  from private.repeated_action('refund-payment', ask_refund.reference_id, v_request) r;
  -- Of this payment alone, because several projects may share an account with Razorpay.
  refund_key := left(encode(sha256(convert_to(
    ask_refund.payment_id || ' ' || ask_refund.reference_id, 'UTF8'
  )), 'hex'), 40);
  if outcome is not null then
    outcome := case outcome when 'refunded' then 'replayed' else outcome end;
    select (a.after ->> 'amount_paise')::integer into refund_paise
    from public.operator_actions a where a.id = v_action_id;
    return next;
    return;
  end if;

  -- Refunds of one payment are asked for in turn, so that each sees what the others have asked for. An
  -- erasure locks the orders, too, before it looks whether a refund was asked for: this one is asked for
  -- before it, or of a payment of somebody erased.
  perform from public.payment_orders o
  where o.id = (select p.order_id from public.payments p where p.id = ask_refund.payment_id)
  for no key update;
  select p.* into v_payment from public.payments p where p.id = ask_refund.payment_id;
  v_left := v_payment.amount_paise
    - coalesce((
      select sum(r.amount_paise) from public.payment_reversals r
      where r.payment_id = v_payment.id
        and case r.kind when 'refund' then r.status <> 'failed' else r.is_money_gone end
    ), 0)
    - coalesce((
      select sum((a.after ->> 'amount_paise')::bigint) from public.operator_actions a
      where a.payment_id = v_payment.id and a.outcome = 'asked'
        and not exists (select from public.operator_actions c where c.completes = a.id)
    ), 0);
  if v_payment.id is null then
    outcome := 'payment_not_found';
  elsif v_payment.status not in ('captured', 'refunded') then
    outcome := 'payment_not_captured';
  elsif coalesce(ask_refund.amount_paise, v_min_paise) > v_left then
    outcome := 'refund_exceeds_payment';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  outcome := 'asking';
  refund_paise := coalesce(ask_refund.amount_paise, v_left);
  perform private.record_action(
    'refund-payment', ask_refund.operator, ask_refund.reason, 'asked',
    reference_id => ask_refund.reference_id, request => v_request,
    user_id => (select o.user_id from public.payment_orders o where o.id = v_payment.order_id),
    order_id => v_payment.order_id, payment_id => v_payment.id,
    before => jsonb_build_object('left_paise', v_left),
    after => jsonb_build_object('amount_paise', refund_paise),
    operator_id => ask_refund.operator_id
  );
  return next;
end;
$function$;
