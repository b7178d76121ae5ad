-- Merges two accounts as merge_users does, and records which operator decided so.
create function public.merge_users_by_hand(
  from_user_id uuid,
  into_user_id uuid,
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
    'from_user_id', merge_users_by_hand.from_user_id,
    'into_user_id', merge_users_by_hand.into_user_id
  );
  v_before jsonb;
  v_outcome text;
begin
  select r.outcome, r.result into outcome, result
  from private.repeated_action('merge-users', merge_users_by_hand.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  -- The locks of merge_users, in its order, so that the state before is the one that it finds. If they
  -- deadlock with a deduction, reservation or capture, the call is rolled back as a whole and made again.
  perform from public.users u
  where u.id in (merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id)
    or u.merged_into = merge_users_by_hand.from_user_id
  order by u.id
  for no key update;
  v_before := private.states_of_two(
    merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id
  );

  v_outcome := public.merge_users(
    merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id
  );
  if v_outcome not in ('merged', 'replayed') then
    outcome := v_outcome;
    return next;
    return;
  end if;

  outcome := 'done';
  result := jsonb_build_object('outcome', v_outcome);
  perform private.record_action(
    'merge-users', merge_users_by_hand.operator, merge_users_by_hand.reason,
    reference_id => merge_users_by_hand.reference_id, request => v_request,
    user_id => merge_users_by_hand.into_user_id, before => v_before,
    after => private.states_of_two(
      merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id
    ),
    result => result, operator_id => merge_users_by_hand.operator_id
  );
  return next;
end;
$$;

comment on function public.merge_users_by_hand is
  'One row. outcome: done and replayed, with result {outcome}, which is merged or replayed as in merge_users; reference_reused; same_user, user_not_found and merged_before as in merge_users. Only done changes anything.';
