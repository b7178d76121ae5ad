-- Where the operators' actions and the events meet.
--
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP FUNCTION "private"."end_hold"(public.holds, text, integer, integer);

CREATE OR REPLACE FUNCTION private.check_adjustments (
  since    timestamp with time zone,
  before   timestamp with time zone,
  user_ids uuid[]
)
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text,
    user_id   uuid,
    order_id  uuid
  )
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  AS $function$
#variable_conflict use_column
begin
  return query
  with adjustments as not materialized (
    select a.* from public.adjustments a where check_adjustments.user_ids is null
    union all
    select a.*
    from unnest(check_adjustments.user_ids) c (id)
    join public.adjustments a on a.user_id = c.id
  ),
  -- See check_ledger.
  new_entries as materialized (
    select t.* from public.credit_transactions t
    where t.created_at >= check_adjustments.since and t.created_at < check_adjustments.before
  ),
  entries as not materialized (
    select t.* from public.credit_transactions t
    where check_adjustments.since is null
      and (check_adjustments.user_ids is null or t.user_id = any (check_adjustments.user_ids))
    union all
    select n.* from new_entries n where check_adjustments.since is not null
    union all
    -- However old they are.
    select t.*
    from adjustments a
    join public.credit_transactions t
      on t.source = 'adjustment' and t.reference_id = a.reference_id
    where check_adjustments.since is not null
  )
  select 'the ledger holds what an adjustment asked for', 'adjustment ' || a.reference_id,
    format('asked for %s, owed %s, forgiven %s, ledger %s', a.credits, a.credits_owed,
      a.credits_forgiven,
      coalesce(sum(case t.action when 'credit' then t.credits else -t.credits end), 0)),
    a.user_id, null::uuid
  from adjustments a
  left join (
    public.credit_transactions t
    join public.users u on u.id = t.user_id
  )
    on t.source = 'adjustment'
      and t.reference_id = a.reference_id
      and coalesce(u.merged_into, u.id) = a.user_id
  group by a.reference_id, a.user_id, a.credits, a.credits_owed, a.credits_forgiven
  having a.credits + a.credits_owed + a.credits_forgiven
    <> coalesce(sum(case t.action when 'credit' then t.credits else -t.credits end), 0)

  union all
  select 'every entry of an adjustment belongs to one', 'entry ' || t.id,
    format('reference %s', t.reference_id),
    t.user_id, null
  from entries t
  join public.users u on u.id = t.user_id
  left join public.adjustments a
    on a.reference_id = t.reference_id and a.user_id = coalesce(u.merged_into, u.id)
  where t.source = 'adjustment' and a.reference_id is null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.end_hold (
  hold              public.holds,
  state             public.hold_state,
  captured_credits  integer           DEFAULT NULL::integer,
  captured_quantity integer           DEFAULT NULL::integer
)
  RETURNS public.holds
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_hold public.holds;
  v_balance_before integer;
begin
  update public.holds h
  set state = end_hold.state,
      captured_credits = end_hold.captured_credits,
      ended_at = clock_timestamp()
  where h.user_id = (hold).user_id and h.reference_id = (hold).reference_id and h.state = (hold).state
  returning * into strict v_hold;

  select u.credits into strict v_balance_before from public.users u where u.id = v_hold.user_id;

  -- One that has expired has returned its credits already.
  if (hold).state = 'open' then
    update public.users u
    set held_credits = u.held_credits - v_hold.credits,
        open_holds = u.open_holds - 1,
        next_hold_expiry_at = (
          select min(h.expires_at) from public.holds h where h.user_id = u.id and h.state = 'open'
        )
    where u.id = v_hold.user_id;
  end if;

  if v_hold.captured_credits > 0 then
    perform private.post_entry(
      v_hold.user_id, 'debit', v_hold.captured_credits, v_hold.action_id, v_hold.reference_id,
      end_hold.captured_quantity, v_hold.price_id
    );
  end if;
  perform private.collect_debts(v_hold.user_id);

  update public.holds h
  set remaining_after_end = private.remaining_credits(u),
      balance_after_end = u.credits
  from public.users u
  where u.id = v_hold.user_id
    and h.user_id = v_hold.user_id and h.reference_id = v_hold.reference_id
  returning h.* into strict v_hold;

  if end_hold.state = 'expired' then
    perform private.tell(
      v_hold.user_id, 'hold.expired',
      jsonb_build_object('reference_id', v_hold.reference_id, 'released_credits', v_hold.credits)
    );
  end if;
  -- A capture lowers the balance, and so does a debt that what was returned pays.
  perform private.tell_of_low_balance(
    v_hold.user_id, v_balance_before, v_hold.balance_after_end
  );
  return v_hold;
end;
$function$;

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
    done_message      text,
    low_balance       boolean
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

  if v_credits > v_hold.credits then
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
  is_late := v_hold.ended_at >= v_hold.expires_at;
  low_balance := v_hold.balance_after_end <= v_threshold;
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
