-- Charges what a hold has reserved, or a part of it, and returns the rest.
create function public.capture_credits(
  phone_number text default null,
  whatsapp_user_id text default null,
  reference_id text default null,
  quantity integer default null,
  credits integer default null
)
returns table (
  outcome text,
  user_id uuid,
  remaining_credits integer,
  captured_credits integer,
  is_late boolean,
  done_message text,
  low_balance boolean
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_user public.users;
  v_charge public.credit_transactions;
  v_hold public.holds;
  v_quantity integer;
  v_credits bigint;
  v_is_same boolean;
  v_balance integer;
  v_threshold integer;
begin
  if capture_credits.reference_id is null
    or num_nonnulls(capture_credits.credits, capture_credits.quantity) = 2
    or coalesce(capture_credits.credits, capture_credits.quantity, 0) < 0
  then
    raise exception 'a capture has a reference, and not less than no credits or a quantity of none'
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(capture_credits.phone_number, capture_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(capture_credits.phone_number, capture_credits.whatsapp_user_id);
  end if;

  -- One statement locks the user, ends the hold and charges it, if it is open and all of it is captured.
  -- If another transaction held the lock, PostgreSQL evaluates the conditions on the hold again on its
  -- newest version, so a hold ends once.
  with locked as materialized (
    select u.id from public.users u
    where u.phone_number = capture_credits.phone_number
      and u.next_hold_expiry_at > clock_timestamp()
    for no key update
  ),
  captured as (
    update public.holds h
    set state = 'captured',
        captured_credits = h.credits,
        ended_at = clock_timestamp()
    from locked l
    where h.user_id = l.id
      and h.reference_id = capture_credits.reference_id
      -- Open. By this column, so that the planner takes the primary key: the index of open holds keeps
      -- those that have ended until it is vacuumed.
      and h.ended_at is null
      and h.expires_at > clock_timestamp()
      and num_nonnulls(capture_credits.credits, capture_credits.quantity) = 0
    returning h.*
  ),
  charged as (
    update public.users u
    set credits = u.credits - c.credits,
        transaction_count = u.transaction_count + 1,
        held_credits = u.held_credits - c.credits,
        open_holds = u.open_holds - 1,
        next_hold_expiry_at = case when u.open_holds > 1 then u.next_hold_expiry_at end
    from captured c
    where u.id = c.user_id
    returning u.id, u.transaction_count, u.credits as balance,
      greatest(0, u.credits - u.held_credits - u.debt_credits) as remaining,
      c.credits, c.action_id, c.quantity, c.price_id
  ),
  entry as (
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after, quantity,
        price_id, remaining_after)
    select c.id, c.transaction_count, 'debit', c.credits, c.action_id, capture_credits.reference_id,
      c.balance, c.quantity, c.price_id, c.remaining
    from charged c
  )
  select 'captured', c.id, c.remaining, c.credits, false,
    (select p.done_message from public.action_prices p where p.id = c.price_id),
    c.balance, (select s.value from public.settings s where s.name = 'low_balance_credits')
  into outcome, user_id, remaining_credits, captured_credits, is_late, done_message,
    v_balance, v_threshold
  from charged c;

  if outcome is not null then
    low_balance := v_balance <= v_threshold;
    if low_balance and (v_balance = 0 or v_balance + captured_credits > v_threshold) then
      perform private.tell_of_low_balance(user_id, v_balance + captured_credits, v_balance);
    end if;
    return next;
    return;
  end if;

  -- Something else is asked for. With the user locked, each statement sees everything that came before.
  v_user := private.end_expired_holds(
    private.lock_user(capture_credits.phone_number, capture_credits.whatsapp_user_id)
  );
  v_charge := private.find_charge(v_user.id, capture_credits.reference_id);
  select h.* into v_hold from public.holds h
  where h.user_id = coalesce(v_charge.user_id, v_user.id)
    and h.reference_id = capture_credits.reference_id;
  user_id := v_user.id;
  is_late := v_hold.ended_at >= v_hold.expires_at;
  v_threshold := private.low_balance_credits();
  select p.done_message into done_message from public.action_prices p where p.id = v_hold.price_id;

  -- What is left out is all of the hold.
  v_quantity := capture_credits.quantity;
  v_credits := capture_credits.credits;
  if num_nonnulls(v_quantity, v_credits) = 0 then
    v_quantity := v_hold.quantity;
    v_credits := case when v_hold.quantity is null then v_hold.credits end;
  end if;

  if v_charge.user_id is not null then
    -- Captured, or charged by a deduction, whatever hold there was. The same again is a repetition.
    v_is_same := v_charge.reference_id = capture_credits.reference_id and (
      num_nonnulls(v_quantity, v_credits) = 0
      or private.is_same_request(
        v_charge.source, v_charge.quantity, v_charge.credits,
        coalesce(v_hold.action_id, v_charge.source), v_quantity, v_credits::integer
      )
    );
    outcome := case when v_is_same then 'replayed' else 'reference_reused' end;
    user_id := v_charge.user_id;
    remaining_credits := coalesce(v_charge.remaining_after, v_charge.balance_after);
    captured_credits := v_charge.credits;
    is_late := is_late and v_hold.state = 'captured';
    done_message := private.done_message(v_charge);
    low_balance := v_charge.balance_after <= v_threshold;
    return next;
    return;
  elsif v_hold.user_id is null then
    outcome := 'hold_not_found';
    return next;
    return;
  elsif v_hold.state = 'released' then
    outcome := case
      when v_hold.captured_credits = 0 and coalesce(v_quantity, v_credits) = 0 then 'replayed'
      else 'hold_released'
    end;
    remaining_credits := v_hold.remaining_after_end;
    captured_credits := 0;
    is_late := false;
    low_balance := v_hold.balance_after_end <= v_threshold;
    return next;
    return;
  elsif (v_quantity is null) <> (v_hold.quantity is null) then
    outcome := 'wrong_unit';
    return next;
    return;
  end if;

  if v_quantity > 0 then
    select private.price_in_credits(v_quantity, p.credits, p.per_quantity, p.minimum_credits)
    into v_credits
    from public.action_prices p where p.id = v_hold.price_id;
  end if;
  v_credits := coalesce(v_credits, 0);

  -- Also where the price counts begun units, so that more of them costs no more.
  if v_credits > v_hold.credits or v_quantity > v_hold.quantity then
    outcome := 'capture_exceeds_hold';
    return next;
    return;
  elsif v_hold.state = 'expired' and v_credits > 0 and v_user.frozen_at is not null then
    -- Its credits had returned to the account, so this would be a new charge.
    outcome := 'account_frozen';
    return next;
    return;
  elsif v_hold.state = 'expired'
    and v_credits > v_user.credits - v_user.held_credits - v_user.debt_credits
  then
    outcome := 'hold_expired';
    return next;
    return;
  end if;

  v_hold := private.end_hold(
    v_hold,
    (case v_credits when 0 then 'released' else 'captured' end)::public.hold_state,
    v_credits::integer,
    v_quantity
  );
  outcome := 'captured';
  remaining_credits := v_hold.remaining_after_end;
  captured_credits := v_hold.captured_credits;
  is_late := v_credits > 0 and v_hold.ended_at >= v_hold.expires_at;
  low_balance := v_hold.balance_after_end <= v_threshold;
  return next;
end;
$$;

comment on function public.capture_credits is
  'One row. In the unit of the reservation, quantity or credits; neither is all of it, and none of it releases it. outcome: captured (is_late: after the hold had expired, and charged anew); replayed (captured before: the figures are those of the first call); reference_reused (charged before, another amount); hold_not_found; hold_released; hold_expired (and too few credits are left); account_frozen (and the hold has expired); wrong_unit; capture_exceeds_hold. low_balance, after a capture: whether the balance was at the threshold or below. Only captured changes anything.';
