-- Freezes an account or unfreezes it, by an operator's decision.
create function private.set_frozen(
  user_id uuid,
  is_frozen boolean,
  operator text,
  reason text,
  reference_id text,
  operator_id uuid,
  out outcome text,
  out result jsonb
)
language plpgsql
set search_path = ''
as $$
declare
  v_action constant text := case when is_frozen then 'freeze-user' else 'unfreeze-user' end;
  v_request constant jsonb := jsonb_build_object('user_id', set_frozen.user_id);
  v_user public.users;
  v_before jsonb;
  v_is_changed boolean;
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

  v_is_changed := is_frozen <> (v_user.frozen_at is not null);
  if v_is_changed then
    update public.users u
    set frozen_at = case when is_frozen then clock_timestamp() end
    where u.id = v_user.id
    returning * into v_user;
    perform private.tell(v_user.id, case when is_frozen then 'user.frozen' else 'user.unfrozen' end);
  end if;

  outcome := 'done';
  result := jsonb_build_object(
    'user_id', v_user.id, 'frozen', is_frozen, 'changed', v_is_changed
  );
  perform private.record_action(
    v_action, set_frozen.operator, set_frozen.reason,
    reference_id => set_frozen.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => set_frozen.operator_id
  );
end;
$$;

comment on function private.set_frozen is
  'See freeze_user and unfreeze_user.';
