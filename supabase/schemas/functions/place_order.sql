-- Fixes what a purchase costs and grants, before Razorpay is told about it.
create function public.place_order(
  package_id text,
  key_mode text,
  channel text default 'checkout',
  reference_id text default null,
  phone_number text default null,
  whatsapp_user_id text default null,
  caller_address text default null
)
returns table (
  outcome text,
  user_id uuid,
  order_id uuid,
  razorpay_order_id text,
  package_name text,
  credits integer,
  amount_paise integer,
  currency text,
  short_url text,
  expires_at timestamptz,
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
  -- Long enough for a customer who goes back and tries again, short enough for a price to change.
  v_reusable_for constant interval := '30 minutes';
  -- A link that is about to expire is of no use to someone who has yet to open it.
  v_min_remaining constant interval := '5 minutes';
  v_package public.packages;
  v_user public.users;
  v_order public.payment_orders;
begin
  select p.* into v_package from public.packages p
  where p.id = place_order.package_id and p.is_active;
  if not found then
    outcome := 'package_not_found';
    return next;
    return;
  end if;

  -- Anyone who can reach a page could otherwise fill the tables, here and at Razorpay.
  if place_order.caller_address is not null then
    retry_after_seconds := private.count_against_limits(
      'create_order', place_order.caller_address, place_order.phone_number
    );
    if retry_after_seconds = 0
      and private.find_user_id(place_order.phone_number, place_order.whatsapp_user_id) is null
    then
      retry_after_seconds := private.count_against_limits(
        'create_user', place_order.caller_address
      );
    end if;
    if retry_after_seconds > 0 then
      outcome := 'rate_limited';
      return next;
      return;
    end if;
  end if;

  -- The lock makes calls for one user take turns, so that two of them share one order.
  v_user := private.ensure_user(place_order.phone_number, place_order.whatsapp_user_id);
  perform from public.users u where u.id = v_user.id for no key update;

  -- A repeated reference is a retry, whatever has become of its order since.
  select o.* into v_order
  from public.order_references r
  join public.payment_orders o on o.id = r.order_id
  where r.user_id = v_user.id and r.reference_id = place_order.reference_id;
  if found then
    outcome := case
      when v_order.package_id = v_package.id and v_order.channel = place_order.channel
      then 'replayed' else 'reference_reused'
    end;
  else
    -- An order that is still waiting for this payment is used again: a second click buys nothing twice.
    select o.* into v_order from public.payment_orders o
    where o.user_id = v_user.id
      and o.package_id = v_package.id
      and o.channel = place_order.channel
      and o.state in ('pending', 'open')
      and coalesce(o.expires_at - v_min_remaining, o.created_at + v_reusable_for) > clock_timestamp()
      and o.key_mode = place_order.key_mode
      and o.credits = v_package.credits
      and o.amount_paise = v_package.price * 100
    order by o.created_at desc
    limit 1;

    if found then
      outcome := 'reused';
    else
      outcome := 'placed';
      insert into public.payment_orders
        (user_id, package_id, package_name, credits, amount_paise, key_mode, channel)
      values (v_user.id, v_package.id, v_package.name, v_package.credits, v_package.price * 100,
        place_order.key_mode, place_order.channel)
      returning * into v_order;
    end if;

    if place_order.reference_id is not null then
      insert into public.order_references (user_id, reference_id, order_id)
      values (v_user.id, place_order.reference_id, v_order.id);
    end if;
  end if;

  return query select outcome, v_user.id, v_order.id, v_order.razorpay_order_id, v_order.package_name,
    v_order.credits, v_order.amount_paise, v_order.currency, v_order.short_url, v_order.expires_at,
    0;
end;
$$;

comment on function public.place_order is
  'One row. outcome: placed; reused (the same purchase is still waiting for its payment); replayed (this reference placed this order before); reference_reused (this reference placed another order); package_not_found; rate_limited (too many orders from caller_address, for this number or in total; nothing was placed). razorpay_order_id is null until attach_razorpay_order has stored it, and short_url until attach_payment_link has.';
