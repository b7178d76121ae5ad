-- Gives credits to an account or takes some away, by an operator's decision.
create function public.adjust_credits(
  user_id uuid,
  credits integer,
  operator text,
  reason text,
  reference_id text,
  allow_debt boolean default false,
  operator_id uuid default null
)
returns table (outcome text, result jsonb)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_max_credits constant integer := 1000000;
  -- Far enough from the end of an integer that no payment fails to be booked.
  v_max_balance constant integer := 1000000000;
  v_request constant jsonb := jsonb_build_object(
    'user_id', adjust_credits.user_id,
    'credits', adjust_credits.credits,
    'allow_debt', coalesce(adjust_credits.allow_debt, false)
  );
  v_user public.users;
  v_before jsonb;
  v_taken integer;
  v_balance integer;
begin
  if adjust_credits.credits is null or adjust_credits.credits = 0
    or abs(adjust_credits.credits) > v_max_credits
  then
    raise exception 'an adjustment is a difference of at most % credits, and not 0', v_max_credits
      using errcode = 'invalid_parameter_value';
  end if;

  select r.outcome, r.result into outcome, result
  from private.repeated_action('adjust-credits', adjust_credits.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  v_user := private.lock_account(adjust_credits.user_id);
  v_before := private.account_state(v_user);
  v_taken := least(-adjust_credits.credits, v_user.credits - v_user.held_credits);
  if v_user.id is null then
    outcome := 'user_not_found';
  elsif v_taken < -adjust_credits.credits and not coalesce(adjust_credits.allow_debt, false) then
    outcome := 'not_enough_credits';
  elsif v_user.credits + adjust_credits.credits > v_max_balance
    or v_user.debt_credits - adjust_credits.credits > v_max_balance
  then
    outcome := 'too_many_credits';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  insert into public.adjustments (reference_id, user_id, credits, credits_owed)
  values (adjust_credits.reference_id, v_user.id, adjust_credits.credits,
    greatest(0, -adjust_credits.credits - v_taken));
  if adjust_credits.credits > 0 then
    perform private.post_entry(
      v_user.id, 'credit', adjust_credits.credits, 'adjustment', adjust_credits.reference_id
    );
    perform private.collect_debts(v_user.id);
  else
    update public.users u set debt_credits = u.debt_credits - adjust_credits.credits - v_taken
    where u.id = v_user.id;
    if v_taken > 0 then
      perform private.post_entry(
        v_user.id, 'debit', v_taken, 'adjustment', adjust_credits.reference_id
      );
    end if;
  end if;

  v_balance := v_user.credits;
  select u.* into strict v_user from public.users u where u.id = v_user.id;
  if adjust_credits.credits > 0 then
    perform private.tell(
      v_user.id, 'credits.granted',
      jsonb_build_object('source', 'adjustment', 'credits_added', adjust_credits.credits)
    );
  else
    perform private.tell(
      v_user.id, 'credits.taken_back',
      jsonb_build_object(
        'source', 'adjustment',
        'credits_taken', -adjust_credits.credits,
        'debt_credits', v_user.debt_credits
      )
    );
    perform private.tell_of_low_balance(v_user.id, v_balance, v_user.credits);
  end if;

  outcome := 'done';
  result := jsonb_build_object(
    'user_id', v_user.id, 'credits', v_user.credits, 'debt_credits', v_user.debt_credits
  );
  perform private.record_action(
    'adjust-credits', adjust_credits.operator, adjust_credits.reason,
    reference_id => adjust_credits.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => adjust_credits.operator_id
  );
  return next;
end;
$$;

comment on function public.adjust_credits is
  'One row. credits is a difference. A positive one pays debts first. outcome: done and replayed, with result {user_id, credits, debt_credits}; reference_reused; user_not_found; not_enough_credits (a negative one exceeds what is not reserved, and allow_debt is false); too_many_credits (the balance or the debt would exceed a billion). Only done changes anything.';
