-- Releases a hold that its bot does not end, by an operator's decision.
create function public.end_hold_by_hand(
  user_id uuid,
  hold_reference_id text,
  operator text,
  reason text,
  reference_id text,
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
  v_request constant jsonb := jsonb_build_object(
    'user_id', end_hold_by_hand.user_id,
    'hold_reference_id', end_hold_by_hand.hold_reference_id
  );
  v_user public.users;
  v_before jsonb;
  v_hold public.holds;
begin
  select r.outcome, r.result into outcome, result
  from private.repeated_action('end-hold', end_hold_by_hand.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  v_user := private.lock_account(end_hold_by_hand.user_id);
  v_before := private.account_state(v_user);
  select h.* into v_hold from public.holds h
  where h.user_id = v_user.id and h.reference_id = end_hold_by_hand.hold_reference_id
    and h.state = 'open';
  if v_user.id is null then
    outcome := 'user_not_found';
  elsif v_hold.user_id is null then
    outcome := case
      when (private.find_charge(v_user.id, end_hold_by_hand.hold_reference_id)).user_id is null
      then 'hold_not_found'
      else 'hold_captured'
    end;
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  v_hold := private.end_hold(v_hold, 'released');
  select u.* into strict v_user from public.users u where u.id = v_user.id;
  outcome := 'done';
  result := jsonb_build_object('released_credits', v_hold.credits);
  perform private.record_action(
    'end-hold', end_hold_by_hand.operator, end_hold_by_hand.reason,
    reference_id => end_hold_by_hand.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => end_hold_by_hand.operator_id
  );
  return next;
end;
$$;

comment on function public.end_hold_by_hand is
  'One row. outcome: done and replayed, with result {released_credits}; reference_reused; user_not_found; hold_captured (charged, by a capture or by a deduction); hold_not_found (none is open under hold_reference_id: it may have been released or have expired). Only done changes anything.';
