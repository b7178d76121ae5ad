-- The bot is told of adjustments and freezes.
--
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

CREATE OR REPLACE FUNCTION private.set_frozen (
  user_id      uuid,
  is_frozen    boolean,
  operator     text,
  reason       text,
  reference_id text,
  OUT          outcome text,
  OUT          result jsonb
)
  RETURNS record
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_action constant text := case when is_frozen then 'freeze-user' else 'unfreeze-user' end;
  v_request constant jsonb := jsonb_build_object('user_id', set_frozen.user_id);
  v_user public.users;
  v_before jsonb;
begin
  select r.outcome, r.result into outcome, result
  from private.repeated_action(v_action, set_frozen.reference_id, v_request) r;
  if outcome is not null then
    return;
  end if;

  v_user := private.lock_account(set_frozen.user_id);
  if v_user.id is null then
    outcome := 'user_not_found';
    return;
  end if;
  v_before := private.account_state(v_user);

  if is_frozen <> (v_user.frozen_at is not null) then
    update public.users u
    set frozen_at = case when is_frozen then clock_timestamp() end
    where u.id = v_user.id
    returning * into v_user;
    perform private.tell(v_user.id, case when is_frozen then 'user.frozen' else 'user.unfrozen' end);
  end if;

  outcome := 'done';
  result := jsonb_build_object('user_id', v_user.id, 'frozen', is_frozen);
  perform private.record_action(
    v_action, set_frozen.operator, set_frozen.reason,
    reference_id => set_frozen.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result
  );
end;
$function$;

CREATE OR REPLACE FUNCTION public.adjust_credits (
  user_id      uuid,
  credits      integer,
  operator     text,
  reason       text,
  reference_id text,
  allow_debt   boolean DEFAULT false
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
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
    before => v_before, after => private.account_state(v_user), result => result
  );
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.export_statement (
  user_id     uuid,
  max_entries integer,
  since       timestamp with time zone DEFAULT '-infinity'::timestamp WITH time zone,
  until       timestamp with time zone DEFAULT 'infinity'::timestamp WITH time zone
)
  RETURNS TABLE (
    outcome         text,
    opening_balance integer,
    closing_balance integer,
    entries         jsonb
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_before integer := 0;
  v_last integer;
begin
  if not exists (select from public.users u where u.id = export_statement.user_id) then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  -- A period is a part of the history without gaps, even if the server's clock was set back within it,
  -- so that the statement adds up.
  opening_balance := 0;
  select t.sequence_number, t.balance_after into v_before, opening_balance
  from public.credit_transactions t
  where t.user_id = export_statement.user_id and t.created_at < export_statement.since
  order by t.sequence_number desc
  limit 1;
  v_before := coalesce(v_before, 0);
  opening_balance := coalesce(opening_balance, 0);

  select t.sequence_number, t.balance_after into v_last, closing_balance
  from public.credit_transactions t
  where t.user_id = export_statement.user_id and t.created_at < export_statement.until
  order by t.sequence_number desc
  limit 1;
  -- Nothing has happened in the period.
  if v_last is null or v_last <= v_before then
    v_last := v_before;
    closing_balance := opening_balance;
  end if;

  if v_last - v_before > export_statement.max_entries then
    outcome := 'too_many_entries';
    return next;
    return;
  end if;

  outcome := 'exported';
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'sequence_number', t.sequence_number,
        'created_at', t.created_at,
        'action', t.action,
        'credits', t.credits,
        'source', t.source,
        'reference_id', t.reference_id,
        'balance_after', t.balance_after
      )
      order by t.sequence_number
    ),
    '[]'
  ) into entries
  from public.credit_transactions t
  where t.user_id = export_statement.user_id
    and t.sequence_number > v_before and t.sequence_number <= v_last;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.merge_users (
  from_user_id uuid,
  into_user_id uuid
)
  RETURNS text
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
declare
  v_from public.users;
  v_into public.users;
  v_outcome text;
  v_again text;
begin
  if merge_users.from_user_id = merge_users.into_user_id then
    return 'same_user';
  end if;

  for v_attempt in 1..5 loop
    begin
      -- All rows are locked in one order, whichever way around an operator names them: the two, and the
      -- accounts that were merged into the first one earlier.
      perform from public.users u
      where u.id in (merge_users.from_user_id, merge_users.into_user_id)
        or u.merged_into = merge_users.from_user_id
      order by u.id
      for no key update;

      select u.* into v_from from public.users u where u.id = merge_users.from_user_id;
      select u.* into v_into from public.users u where u.id = merge_users.into_user_id;
      if v_from.id is null or v_into.id is null then
        return 'user_not_found';
      elsif v_from.merged_into = v_into.id then
        -- Merged before. Whatever was left behind or has arrived since is moved now.
        v_outcome := 'replayed';
      elsif num_nonnulls(v_from.merged_into, v_into.merged_into) > 0 then
        return 'merged_before';
      else
        v_outcome := 'merged';
      end if;

      perform private.end_expired_holds(v_from);
      perform private.end_expired_holds(v_into);
      perform private.release_common_holds(v_from.id, v_into.id);
      -- What is left of its holds moves to the other account, after the credits.
      update public.users u
      set held_credits = 0, open_holds = 0, next_hold_expiry_at = null
      where u.id = v_from.id
      returning * into v_from;

      if v_from.credits > 0 then
        -- A reference is used once, so each further transfer between the two has a longer one.
        select repeat('again ', count(*)::integer) into v_again
        from public.credit_transactions t
        where t.user_id = v_from.id and t.source = 'merge'
          and t.reference_id ~ ('^(again )*into ' || v_into.id || '$');
        perform private.post_entry(
          v_from.id, 'debit', v_from.credits, 'merge', v_again || 'into ' || v_into.id
        );
        perform private.post_entry(
          v_into.id, 'credit', v_from.credits, 'merge', v_again || 'from ' || v_from.id
        );
      end if;

      perform private.move_holds(v_from.id, v_into.id);

      -- Paid orders may still be refunded, so they move to the account that stays. Orders that wait for
      -- their payment belong to an identity, and move with it.
      update public.payment_orders o set user_id = v_into.id where o.user_id = v_from.id;
      update public.order_references r set user_id = v_into.id where r.user_id = v_from.id;
      update public.adjustments a set user_id = v_into.id where a.user_id = v_from.id;
      update public.users u
      set debt_credits = u.debt_credits + v_from.debt_credits,
          has_merged = true,
          -- Nobody gets rid of a freeze by a merge.
          frozen_at = least(u.frozen_at, v_from.frozen_at)
      where u.id = v_into.id;
      update public.users u set debt_credits = 0, frozen_at = null where u.id = v_from.id;
      perform private.collect_debts(v_into.id);
      if v_from.frozen_at is not null and v_into.frozen_at is null then
        perform private.tell(v_into.id, 'user.frozen');
      end if;

      -- Accounts that were merged into this one earlier follow it, so that merged_into always leads to
      -- the current account in one step.
      update public.users u set merged_into = v_into.id where u.merged_into = v_from.id;
      update public.identities i set user_id = v_into.id where i.user_id = v_from.id;
      update public.users u set merged_into = v_into.id, phone_number = null where u.id = v_from.id;
      update public.users u set phone_number = coalesce(u.phone_number, v_from.phone_number)
      where u.id = v_into.id;
      return v_outcome;
    exception
      -- A deduction that waited for the merged account holds its lock while it waits for the other one.
      when deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$function$;
