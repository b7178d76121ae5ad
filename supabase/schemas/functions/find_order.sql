-- Reads an order by the id that Razorpay knows it by, for the verification of its payment.
create function public.find_order(
  razorpay_order_id text,
  phone_number text,
  limited_address text default null
)
returns table (
  outcome text,
  user_id uuid,
  is_users_phone boolean,
  package_id text,
  key_mode text,
  credits integer,
  razorpay_payment_id text,
  balance_after_payment integer,
  retry_after_seconds integer
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_order public.payment_orders;
begin
  select o.* into v_order from public.payment_orders o
  where o.razorpay_order_id = find_order.razorpay_order_id;

  if find_order.limited_address is not null then
    retry_after_seconds := private.count_against_limits(
      'verify_payment', find_order.limited_address, user_id => v_order.user_id
    );
    if retry_after_seconds > 0 then
      outcome := 'limited';
      return next;
      return;
    end if;
  end if;

  if v_order.id is null then
    outcome := 'order_not_found';
    return next;
    return;
  end if;

  return query
  select 'found', v_order.user_id,
    v_order.user_id is not distinct from private.find_user_id(find_order.phone_number, null),
    v_order.package_id, v_order.key_mode, v_order.credits, v_order.razorpay_payment_id,
    p.balance_after_grant, 0
  from (select) as always
  left join public.payments p on p.id = v_order.razorpay_payment_id;
end;
$$;

comment on function public.find_order is
  'One row. outcome: found (is_users_phone tells whether phone_number is one of the user''s; the payment and the balance after it are null until the order is paid); order_not_found; limited (too many verifications from limited_address, for this user or in all).';
