-- Reserves credits for a job, at most once for each reference.
create function public.reserve_credits(
  phone_number text default null,
  whatsapp_user_id text default null,
  reference_id text default null,
  action text default null,
  quantity integer default null,
  credits integer default null,
  expires_in_seconds integer default null,
  identity_hashes text[] default null
)
returns table (
  outcome text,
  user_id uuid,
  remaining_credits integer,
  reserved_credits integer,
  needed_credits bigint,
  expires_at timestamptz,
  state text
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_max_credits constant integer := 1000;
  v_action constant text := coalesce(reserve_credits.action, 'image_generation');
  v_quantity constant integer :=
    case when reserve_credits.credits is null then coalesce(reserve_credits.quantity, 1) end;
  v_expires_at constant timestamptz :=
    clock_timestamp() + make_interval(secs => coalesce(reserve_credits.expires_in_seconds, 600));
  v_reserved_credits integer;
  v_is_reserved boolean;
  v_user public.users;
  v_charge public.credit_transactions;
  v_hold public.holds;
  v_price private.price_of_a_call;
begin
  if reserve_credits.reference_id is null
    or num_nonnulls(reserve_credits.credits, reserve_credits.quantity) = 2
    or coalesce(reserve_credits.credits, v_quantity) < 1
    or reserve_credits.expires_in_seconds < 1
  then
    raise exception 'a hold has a reference, a duration, and at least one credit or a quantity of one'
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(reserve_credits.phone_number, reserve_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(
      reserve_credits.phone_number, reserve_credits.whatsapp_user_id, reserve_credits.identity_hashes
    );
  end if;

  -- One statement, as in deduct_credits. It looks into the ledger as the ledger was when the statement
  -- began, so it leaves alone a user who has got another entry since.
  with price as (
    select p.id,
      coalesce(
        reserve_credits.credits,
        private.price_in_credits(v_quantity, p.credits, p.per_quantity, p.minimum_credits)
      ) as credits
    from private.current_prices p
    where p.action_id = v_action
  ),
  reserved as (
    update public.users u
    set held_credits = u.held_credits + p.credits::integer,
        open_holds = u.open_holds + 1,
        next_hold_expiry_at = least(u.next_hold_expiry_at, v_expires_at)
    from price p, public.users seen
    where seen.phone_number = reserve_credits.phone_number
      and u.id = seen.id
      -- Of the row as it is once its lock is held: an erasure takes the number away.
      and u.phone_number = reserve_credits.phone_number
      and u.transaction_count = seen.transaction_count
      and not u.has_merged
      -- Not an anti-join, for which the planner would search the index for the hash of any user.
      and (
        select t.user_id from public.credit_transactions t
        where t.user_id = seen.id
          and hashtextextended(t.reference_id, 0) = hashtextextended(reserve_credits.reference_id, 0)
          and t.reference_id is not null
          and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
      ) is null
      and u.credits - u.held_credits - u.debt_credits >= p.credits
      and p.credits <= v_max_credits
      and u.frozen_at is null
      and u.open_holds < (select s.value from public.settings s where s.name = 'max_open_holds')
      and (u.next_hold_expiry_at is null or u.next_hold_expiry_at > clock_timestamp())
    returning u.id, u.credits - u.held_credits - u.debt_credits as remaining, p.id as price_id,
      p.credits::integer
  ),
  hold as (
    insert into public.holds
      (user_id, reference_id, action_id, quantity, price_id, credits, expires_at, remaining_after)
    select r.id, reserve_credits.reference_id, v_action, v_quantity, r.price_id, r.credits,
      v_expires_at, r.remaining
    from reserved r
    on conflict (user_id, reference_id) do nothing
    returning true as is_written
  )
  select 'reserved', r.id, r.remaining, r.credits, v_expires_at, 'open', r.credits, h.is_written
  into outcome, user_id, remaining_credits, reserved_credits, expires_at, state, v_reserved_credits,
    v_is_reserved
  from reserved r
  left join hold h on true;

  if v_is_reserved then
    return next;
    return;
  elsif v_reserved_credits is not null then
    -- Reserved without a hold: the reference has one, perhaps one that has ended. The next expiry may stay
    -- too early, but must be null without open holds.
    update public.users u
    set held_credits = u.held_credits - v_reserved_credits,
        open_holds = u.open_holds - 1,
        next_hold_expiry_at = case when u.open_holds > 1 then u.next_hold_expiry_at end
    where u.id = reserve_credits.user_id;
  end if;

  -- Something is unusual. With the user locked, each statement sees everything that came before.
  v_user := private.end_expired_holds(
    private.lock_user(
      reserve_credits.phone_number, reserve_credits.whatsapp_user_id, reserve_credits.identity_hashes
    )
  );
  if v_user.id is null then
    outcome := 'identity_hashes_needed';
    return next;
    return;
  end if;
  user_id := v_user.id;
  -- A hold that expires from here on still counts until the next call.
  remaining_credits :=
    greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits);
  reserved_credits := v_user.held_credits;
  expires_at := null;
  state := null;

  -- A repeated reference returns what the first call did, and reserves nothing.
  v_charge := private.find_charge(v_user.id, reserve_credits.reference_id);
  select h.* into v_hold from public.holds h
  where h.user_id = coalesce(v_charge.user_id, v_user.id)
    and h.reference_id = reserve_credits.reference_id
    and h.state = (case when v_charge.user_id is null then 'open' else 'captured' end)::public.hold_state;
  if v_hold.user_id is not null
    and private.is_same_request(
      v_hold.action_id, v_hold.quantity, v_hold.credits,
      v_action, v_quantity, reserve_credits.credits
    )
  then
    outcome := 'replayed';
    user_id := v_hold.user_id;
    remaining_credits := v_hold.remaining_after;
    reserved_credits := v_hold.credits;
    expires_at := v_hold.expires_at;
    state := v_hold.state;
    return next;
    return;
  elsif num_nonnulls(v_charge.user_id, v_hold.user_id) > 0 then
    outcome := 'reference_reused';
    return next;
    return;
  end if;

  if v_user.frozen_at is not null then
    outcome := 'account_frozen';
    return next;
    return;
  end if;

  v_price := private.find_price(v_action, v_quantity, reserve_credits.credits);
  needed_credits := v_price.credits;
  if v_price.price_id is null then
    outcome := 'action_not_found';
  elsif v_price.credits > v_max_credits then
    outcome := 'too_many_credits';
  elsif v_user.open_holds >= coalesce(
    (select s.value from public.settings s where s.name = 'max_open_holds'), 0
  ) then
    outcome := 'too_many_holds';
  elsif v_price.credits > remaining_credits then
    outcome := 'insufficient_credits';
  else
    outcome := 'reserved';
    remaining_credits := remaining_credits - v_price.credits::integer;
    reserved_credits := v_price.credits;
    expires_at := v_expires_at;
    state := 'open';
    update public.users u
    set held_credits = u.held_credits + v_price.credits::integer,
        open_holds = u.open_holds + 1,
        next_hold_expiry_at = least(u.next_hold_expiry_at, v_expires_at)
    where u.id = v_user.id;
    -- A hold that was released or has expired makes room for the new one.
    delete from public.holds h
    where h.user_id = v_user.id and h.reference_id = reserve_credits.reference_id;
    insert into public.holds
      (user_id, reference_id, action_id, quantity, price_id, credits, expires_at, remaining_after)
    values (v_user.id, reserve_credits.reference_id, v_action, v_quantity, v_price.price_id,
      v_price.credits, v_expires_at, remaining_credits);
  end if;
  return next;
end;
$$;

comment on function public.reserve_credits is
  'One row. Either credits or a quantity of the action''s unit; neither is a quantity of 1. expires_in_seconds: 600 if left out. outcome: reserved; replayed (reserved before: the figures are those of the first call, and state is open or captured, as it is now); reference_reused (reserved before for another request, or charged by a deduction); account_frozen; action_not_found and too_many_credits as in deduct_credits; too_many_holds (open at the same time); insufficient_credits (needed_credits exceed remaining_credits, which are besides reserved_credits, the sum of the user''s holds); identity_hashes_needed (see private.is_welcome). Only reserved changes anything.';
