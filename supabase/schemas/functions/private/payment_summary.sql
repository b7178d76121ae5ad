-- What an operator needs to know about a payment.
create function private.payment_summary(payment public.payments)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'payment_id', (payment).id,
    'status', (payment).status,
    'amount_paise', (payment).amount_paise,
    'returned_paise', coalesce((
      select sum(r.amount_paise) from public.payment_reversals r
      where r.payment_id = (payment).id and r.is_money_gone
    ), 0),
    'credits_granted', (payment).credits_granted,
    'flag', (payment).flag,
    'created_at', (payment).created_at
  );
end;
$$;

comment on function private.payment_summary is
  'Part of order_details and payment_life.';
