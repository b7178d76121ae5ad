-- Fixes what a purchase costs and grants, before Razorpay is told about it.
create function public.place_order(
  package_id text,
  key_mode text,
  channel text default 'checkout',
  reference_id text default null,
  phone_number text default null,
  whatsapp_user_id text default null,
  caller_address text default null,
  is_proven boolean default false,
  identity_hashes text[] default null
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
  v_is_stranger constant boolean :=
    place_order.caller_address is not null and place_order.is_proven is not true;
  -- A stranger's orders are used again by callers from the same address only. Otherwise the order that
  -- a stranger is given would tell whether somebody else has ordered, or has paid since.
  v_placed_by constant text := case when v_is_stranger
    then encode(sha256(convert_to(place_order.caller_address, 'UTF8')), 'hex') end;
  v_exceeded_scope text;
  v_package public.packages;
  v_user public.users;
  v_phone_numbers text[] := array[place_order.phone_number];
  v_whatsapp_user_ids text[] := array[place_order.whatsapp_user_id];
  v_order public.payment_orders;
begin
  if place_order.channel = 'checkout' and place_order.reference_id is not null then
    raise exception 'a reference belongs to a user, and an order at the checkout has none yet'
      using errcode = 'invalid_parameter_value';
  end if;

  -- Anyone who can reach a page could otherwise fill the tables, here and at Razorpay. Nothing is
  -- looked up before this, so that a caller who is refused learns nothing about the number.
  if v_is_stranger then
    select e.scope, e.retry_after_seconds into v_exceeded_scope, retry_after_seconds
    from private.exceeded_limit('create_order', place_order.caller_address) e;
    if found then
      outcome := case v_exceeded_scope when 'project' then 'proof_required' else 'rate_limited' end;
      return next;
      return;
    end if;
  end if;

  select p.* into v_package from public.packages p
  where p.id = place_order.package_id and p.is_active;
  if not found and (
    place_order.reference_id is null
    or private.find_user_id(place_order.phone_number, place_order.whatsapp_user_id) is null
  ) then
    if v_is_stranger then
      perform private.count_against_limits(
        'create_order', place_order.caller_address, project => null
      );
    end if;
    outcome := 'package_not_found';
    return next;
    return;
  end if;

  -- The lock makes calls for one person take turns, so that two of them share one order.
  if place_order.channel = 'checkout' then
    -- Whose number it is does not matter before the order is paid, so nobody has to wait for a user.
    perform private.lock_identities(place_order.phone_number, place_order.whatsapp_user_id);
  else
    v_user := private.lock_user(
      place_order.phone_number, place_order.whatsapp_user_id, place_order.identity_hashes
    );
    if v_user.id is null then
      outcome := 'identity_hashes_needed';
      return next;
      return;
    end if;

    -- A repeated reference is a retry, whatever has become of its order or its package since. Test and
    -- live orders have nothing to do with each other: after a change of keys, a retry gets a link that
    -- works.
    select o.* into v_order
    from public.order_references r
    join public.payment_orders o on o.id = r.order_id
    where r.user_id = v_user.id
      and r.reference_id = place_order.reference_id
      and o.key_mode = place_order.key_mode
    order by r.created_at
    limit 1;
    if found then
      return query select
        case
          when v_order.package_id = place_order.package_id and v_order.channel = place_order.channel
          then 'replayed' else 'reference_reused'
        end,
        v_user.id, v_order.id, v_order.razorpay_order_id, v_order.package_name, v_order.credits,
        v_order.amount_paise, v_order.currency, v_order.short_url, v_order.expires_at, 0;
      return;
    elsif v_package.id is null then
      outcome := 'package_not_found';
      return next;
      return;
    end if;

    select
      array_agg(i.value) filter (where i.kind = 'phone'),
      array_agg(i.value) filter (where i.kind = 'whatsapp_user_id')
    into v_phone_numbers, v_whatsapp_user_ids
    from public.identities i
    where i.user_id = v_user.id;
  end if;

  -- An order that is still waiting for this payment is used again: a second click buys nothing twice.
  select o.* into v_order from public.payment_orders o
  where (o.phone_number = any(v_phone_numbers) or o.whatsapp_user_id = any(v_whatsapp_user_ids))
    -- Where an order names two identities, the number decides whose it is.
    and (v_user.id is null
      or private.find_user_id(o.phone_number, o.whatsapp_user_id) = v_user.id)
    and o.package_id = v_package.id
    and o.channel = place_order.channel
    and o.state in ('pending', 'open')
    and coalesce(o.expires_at - v_min_remaining, o.created_at + v_reusable_for) > clock_timestamp()
    and o.key_mode = place_order.key_mode
    and o.placed_by is not distinct from v_placed_by
    and o.credits = v_package.credits
    and o.amount_paise = v_package.price * 100
  order by o.created_at desc
  limit 1;

  if found then
    outcome := 'reused';
    -- Asking again creates nothing, so only the address is counted.
    if v_is_stranger then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'create_order', place_order.caller_address, project => null
      ) c;
    end if;
  else
    outcome := 'placed';
    -- The new row refers to the package. It is better to wait for it here than while holding the
    -- counters.
    perform from public.packages p where p.id = v_package.id for key share;
    if v_is_stranger then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'create_order', place_order.caller_address,
        coalesce(place_order.phone_number, place_order.whatsapp_user_id)
      ) c;
    elsif place_order.caller_address is not null then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'create_order',
        owner => coalesce(place_order.phone_number, place_order.whatsapp_user_id),
        project => null
      ) c;
    end if;
  end if;

  if v_exceeded_scope is not null then
    outcome := case v_exceeded_scope when 'project' then 'proof_required' else 'rate_limited' end;
    return next;
    return;
  end if;

  if outcome = 'placed' then
    insert into public.payment_orders (phone_number, whatsapp_user_id, package_id, package_name,
      credits, amount_paise, key_mode, channel, placed_by, has_reference)
    values (place_order.phone_number, place_order.whatsapp_user_id, v_package.id, v_package.name,
      v_package.credits, v_package.price * 100, place_order.key_mode, place_order.channel,
      v_placed_by, place_order.reference_id is not null)
    returning * into v_order;
  end if;
  if place_order.reference_id is not null then
    insert into public.order_references (user_id, reference_id, order_id)
    values (v_user.id, place_order.reference_id, v_order.id);
    update public.payment_orders o set has_reference = true
    where o.id = v_order.id and not o.has_reference;
  end if;

  return query select
    outcome,
    coalesce(
      v_user.id, private.find_user_id(place_order.phone_number, place_order.whatsapp_user_id)
    ),
    v_order.id, v_order.razorpay_order_id, v_order.package_name, v_order.credits,
    v_order.amount_paise, v_order.currency, v_order.short_url, v_order.expires_at, 0;
end;
$$;

comment on function public.place_order is
  'One row. outcome: placed; reused (the same purchase is still waiting for its payment); replayed (this reference placed this order before, with keys of this mode); reference_reused (this reference placed another order); package_not_found; rate_limited (too many orders from caller_address or for this number; nothing was placed); proof_required (callers without a proof have placed too many in total; those who prove the number are not counted among them); identity_hashes_needed (see private.is_welcome). is_proven: the caller has proven the number, and is counted as its owner only; without caller_address nothing is counted. A link creates its user, an order at the checkout does not: user_id is null while nobody has the number. razorpay_order_id is null until attach_razorpay_order has stored it, and short_url until attach_payment_link has.';
