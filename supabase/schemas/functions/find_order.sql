-- Finds an order by its Razorpay order id, to verify its payment.
create function public.find_order(
  razorpay_order_id text,
  phone_number text default null,
  caller_address text default null,
  is_proven boolean default false
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
  remaining_after_payment integer,
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
  v_exceeded_scope text;
begin
  select o.* into v_order from public.payment_orders o
  where o.razorpay_order_id = find_order.razorpay_order_id;

  if find_order.caller_address is not null then
    if find_order.is_proven then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'verify_payment', owner => find_order.phone_number, project => null
      ) c;
    else
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'verify_payment', find_order.caller_address,
        coalesce(v_order.phone_number, v_order.whatsapp_user_id)
      ) c;
    end if;
    if v_exceeded_scope is not null then
      outcome := 'rate_limited';
      return next;
      return;
    end if;
  end if;

  if v_order.id is null then
    outcome := 'order_not_found';
    return next;
    return;
  end if;

  select p.balance_after_grant, coalesce(p.remaining_after_grant, p.balance_after_grant)
  into balance_after_payment, remaining_after_payment
  from public.payments p
  where p.id = v_order.razorpay_payment_id;

  outcome := 'found';
  user_id := coalesce(
    v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
  );
  is_users_phone := case
    when user_id is null then v_order.phone_number is not distinct from find_order.phone_number
    else user_id is not distinct from private.find_user_id(find_order.phone_number, null)
  end;
  package_id := v_order.package_id;
  key_mode := v_order.key_mode;
  credits := v_order.credits;
  razorpay_payment_id := v_order.razorpay_payment_id;
  retry_after_seconds := 0;
  return next;
end;
$$;

comment on function public.find_order is
  'One row. outcome: found (user_id is null while nobody has the number that the order is for; is_users_phone says whether phone_number is one of the user''s, or the order''s, and nothing where none is given; the payment and what could be spent after it are null until the order is paid; balance_after_payment is what the functions of version 1.0.0 read, which run until newer ones are deployed); order_not_found; rate_limited (too many verifications from caller_address, for this order''s number or in total; with is_proven, by the owner of phone_number).';
