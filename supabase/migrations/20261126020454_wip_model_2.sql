-- A hold that expires while a call is under way still counts for this call, and the next expiry that a
-- user's row names is that of an open hold.
--
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

CREATE OR REPLACE FUNCTION private.end_expired_holds (
  holder public.users
)
  RETURNS public.users
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_user public.users := holder;
  v_hold public.holds;
begin
  if v_user.next_hold_expiry_at <= clock_timestamp() then
    for v_hold in
      select h.* from public.holds h
      where h.user_id = v_user.id and h.state = 'open' and h.expires_at <= clock_timestamp()
      order by h.expires_at, h.reference_id
    loop
      perform private.end_hold(v_hold, 'expired');
    end loop;
    -- A hold that was captured in full has left its expiry behind, which none may have reached.
    update public.users u
    set next_hold_expiry_at = (
      select min(h.expires_at) from public.holds h where h.user_id = u.id and h.state = 'open'
    )
    where u.id = v_user.id
    returning * into strict v_user;
  end if;
  return v_user;
end;
$function$;

CREATE OR REPLACE FUNCTION public.capture_credits (
  phone_number     text    DEFAULT NULL::text,
  whatsapp_user_id text    DEFAULT NULL::text,
  reference_id     text    DEFAULT NULL::text,
  quantity         integer DEFAULT NULL::integer,
  credits          integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome           text,
    user_id           uuid,
    remaining_credits integer,
    captured_credits  integer,
    is_late           boolean,
    done_message      text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_user public.users;
  v_charge public.credit_transactions;
  v_hold public.holds;
  v_quantity integer;
  v_credits bigint;
  v_is_same boolean;
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
      and h.state = 'open'
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
    (select p.done_message from public.action_prices p where p.id = c.price_id)
  into outcome, user_id, remaining_credits, captured_credits, is_late, done_message
  from charged c;

  if outcome is not null then
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

  if v_credits > v_hold.credits then
    outcome := 'capture_exceeds_hold';
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
    v_hold, case v_credits when 0 then 'released' else 'captured' end, v_credits::integer, v_quantity
  );
  outcome := 'captured';
  remaining_credits := v_hold.remaining_after_end;
  captured_credits := v_hold.captured_credits;
  is_late := v_hold.ended_at >= v_hold.expires_at;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.deduct_credits (
  phone_number     text    DEFAULT NULL::text,
  credits          integer DEFAULT NULL::integer,
  reference_id     text    DEFAULT NULL::text,
  whatsapp_user_id text    DEFAULT NULL::text,
  action           text    DEFAULT NULL::text,
  quantity         integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome           text,
    user_id           uuid,
    remaining_credits integer,
    reserved_credits  integer,
    needed_credits    bigint,
    done_message      text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_max_credits constant integer := 1000;
  v_action constant text := coalesce(deduct_credits.action, 'image_generation');
  v_quantity constant integer :=
    case when deduct_credits.credits is null then coalesce(deduct_credits.quantity, 1) end;
  v_charged_credits integer;
  v_is_charged boolean;
  v_user public.users;
  v_charge public.credit_transactions;
  v_price private.price_of_a_call;
begin
  if num_nonnulls(deduct_credits.credits, deduct_credits.quantity) = 2
    or coalesce(deduct_credits.credits, v_quantity) < 1
  then
    raise exception 'a deduction is at least one credit, or a quantity of at least one'
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(deduct_credits.phone_number, deduct_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id);
  end if;

  -- One statement prices, decides, charges and records, for a known number with nothing unusual about it.
  -- If another transaction held the user's row, PostgreSQL evaluates the conditions on the row again on
  -- its newest version, so no stale figure is ever written back.
  with price as (
    select p.id, p.done_message,
      coalesce(
        deduct_credits.credits,
        private.price_in_credits(v_quantity, p.credits, p.per_quantity, p.minimum_credits)
      ) as credits
    from private.current_prices p
    where p.action_id = v_action
  ),
  charged as (
    update public.users u
    set credits = u.credits - p.credits::integer,
        transaction_count = u.transaction_count + 1
    from price p
    -- The number in the user's own row, which saves the look-up in identities.
    where u.phone_number = deduct_credits.phone_number
      and u.credits - u.held_credits - u.debt_credits >= p.credits
      and p.credits <= v_max_credits
      -- A hold may have expired, which returns its credits.
      and (u.next_hold_expiry_at is null or u.next_hold_expiry_at > clock_timestamp())
    returning u.id, u.transaction_count, u.credits as balance,
      u.credits - u.held_credits - u.debt_credits as remaining,
      u.held_credits > 0 or u.has_merged as may_be_taken,
      p.id as price_id, p.credits::integer, p.done_message
  ),
  entry as (
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after, quantity,
        price_id, remaining_after)
    select c.id, c.transaction_count, 'debit', c.credits, v_action, deduct_credits.reference_id,
      c.balance, v_quantity, c.price_id, c.remaining
    from charged c
    where case
      when c.may_be_taken then not private.is_reference_taken(c.id, deduct_credits.reference_id)
      else true
    end
    -- A repeated reference is a retry.
    on conflict (user_id, hashtextextended(reference_id, 0))
      where reference_id is not null
        and source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
      do nothing
    returning true as is_written
  )
  select 'deducted', c.id, c.remaining, 0, c.credits, c.done_message, c.credits, e.is_written
  into outcome, user_id, remaining_credits, reserved_credits, needed_credits, done_message,
    v_charged_credits, v_is_charged
  from charged c
  left join entry e on true;

  if v_is_charged then
    return next;
    return;
  elsif v_charged_credits is not null then
    -- Charged without an entry: the reference is taken. Nobody else has seen the row, which is locked.
    update public.users u
    set credits = u.credits + v_charged_credits,
        transaction_count = u.transaction_count - 1
    where u.id = deduct_credits.user_id;
  end if;

  -- Something is unusual. With the user locked, each statement sees everything that came before.
  v_user := private.end_expired_holds(
    private.lock_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id)
  );
  user_id := v_user.id;
  -- A hold that expires from here on still counts until the next call.
  remaining_credits :=
    greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits);
  reserved_credits := v_user.held_credits;

  if deduct_credits.reference_id is not null then
    v_charge := private.find_charge(v_user.id, deduct_credits.reference_id);
    if v_charge.user_id is not null then
      -- A repeated reference returns what the first call did, and charges nothing.
      outcome := case
        when v_charge.reference_id = deduct_credits.reference_id
          and private.is_same_request(
            v_charge.source, v_charge.quantity, v_charge.credits,
            v_action, v_quantity, deduct_credits.credits
          )
        then 'replayed'
        else 'reference_reused'
      end;
      user_id := v_charge.user_id;
      remaining_credits := coalesce(v_charge.remaining_after, v_charge.balance_after);
      done_message := private.done_message(v_charge);
      return next;
      return;
    elsif private.is_reference_taken(v_user.id, deduct_credits.reference_id) then
      outcome := 'reference_held';
      return next;
      return;
    end if;
  end if;

  v_price := private.find_price(v_action, v_quantity, deduct_credits.credits);
  needed_credits := v_price.credits;
  done_message := v_price.done_message;
  if v_price.price_id is null then
    outcome := 'action_not_found';
  elsif v_price.credits > v_max_credits then
    outcome := 'too_many_credits';
  elsif v_price.credits > remaining_credits then
    outcome := 'insufficient_credits';
  else
    perform private.post_entry(
      v_user.id, 'debit', v_price.credits::integer, v_action, deduct_credits.reference_id, v_quantity,
      v_price.price_id
    );
    outcome := 'deducted';
    remaining_credits := remaining_credits - v_price.credits::integer;
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.reserve_credits (
  phone_number       text    DEFAULT NULL::text,
  whatsapp_user_id   text    DEFAULT NULL::text,
  reference_id       text    DEFAULT NULL::text,
  action             text    DEFAULT NULL::text,
  quantity           integer DEFAULT NULL::integer,
  credits            integer DEFAULT NULL::integer,
  expires_in_seconds integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome           text,
    user_id           uuid,
    remaining_credits integer,
    reserved_credits  integer,
    needed_credits    bigint,
    expires_at        timestamp with time zone,
    state             text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
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
    perform private.ensure_user(reserve_credits.phone_number, reserve_credits.whatsapp_user_id);
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
    private.lock_user(reserve_credits.phone_number, reserve_credits.whatsapp_user_id)
  );
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
    and h.state = case when v_charge.user_id is null then 'open' else 'captured' end;
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

  v_price := private.find_price(v_action, v_quantity, reserve_credits.credits);
  needed_credits := v_price.credits;
  if v_price.price_id is null then
    outcome := 'action_not_found';
  elsif v_price.credits > v_max_credits then
    outcome := 'too_many_credits';
  elsif v_user.open_holds >= (select s.value from public.settings s where s.name = 'max_open_holds') then
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
$function$;
