-- Charges for an action, at most once for each reference.
create function public.deduct_credits(
  phone_number text default null,
  credits integer default null,
  reference_id text default null,
  whatsapp_user_id text default null,
  action text default null,
  quantity integer default null,
  identity_hashes text[] default null
)
returns table (
  outcome text,
  user_id uuid,
  remaining_credits integer,
  reserved_credits integer,
  needed_credits bigint,
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
  v_max_credits constant integer := 1000;
  v_action constant text := coalesce(deduct_credits.action, 'image_generation');
  v_quantity constant integer :=
    case when deduct_credits.credits is null then coalesce(deduct_credits.quantity, 1) end;
  v_charged_credits integer;
  v_is_charged boolean;
  v_balance integer;
  v_threshold integer;
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
    perform private.ensure_user(
      deduct_credits.phone_number, deduct_credits.whatsapp_user_id, deduct_credits.identity_hashes
    );
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
      and u.frozen_at is null
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
  select 'deducted', c.id, c.remaining, 0, c.credits, c.done_message, c.credits, e.is_written,
    c.balance, (select s.value from public.settings s where s.name = 'low_balance_credits')
  into outcome, user_id, remaining_credits, reserved_credits, needed_credits, done_message,
    v_charged_credits, v_is_charged, v_balance, v_threshold
  from charged c
  left join entry e on true;

  if v_is_charged then
    low_balance := v_balance <= v_threshold;
    if low_balance and (v_balance = 0 or v_balance + v_charged_credits > v_threshold) then
      perform private.tell_of_low_balance(user_id, v_balance + v_charged_credits, v_balance);
    end if;
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
    private.lock_user(
      deduct_credits.phone_number, deduct_credits.whatsapp_user_id, deduct_credits.identity_hashes
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
      low_balance := v_charge.balance_after <= private.low_balance_credits();
      return next;
      return;
    elsif private.is_reference_taken(v_user.id, deduct_credits.reference_id) then
      outcome := 'reference_held';
      return next;
      return;
    end if;
  end if;

  if v_user.frozen_at is not null then
    outcome := 'account_frozen';
    return next;
    return;
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
    v_balance := private.post_entry(
      v_user.id, 'debit', v_price.credits::integer, v_action, deduct_credits.reference_id, v_quantity,
      v_price.price_id
    );
    perform private.tell_of_low_balance(v_user.id, v_user.credits, v_balance);
    outcome := 'deducted';
    remaining_credits := remaining_credits - v_price.credits::integer;
    low_balance := v_balance <= private.low_balance_credits();
  end if;
  return next;
end;
$$;

comment on function public.deduct_credits is
  'One row. Either credits or a quantity of the action''s unit; neither is a quantity of 1. outcome: deducted; replayed (the reference was charged before: remaining_credits is what the first call returned); reference_reused (charged before for another request); reference_held (reserved and not captured); account_frozen; action_not_found (unknown, retired, or not priced yet); too_many_credits (more than one call may spend); insufficient_credits (needed_credits exceed remaining_credits, which are besides reserved_credits); identity_hashes_needed (see private.is_welcome). low_balance, after a charge: whether the balance was at the threshold or below. Only deducted changes anything.';
