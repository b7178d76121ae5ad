-- Forgives what an account owes, or a part of it, by an operator's decision.
create function public.forgive_debt(
  user_id uuid,
  operator text,
  reason text,
  reference_id text,
  credits integer default null,
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
  v_request constant jsonb :=
    jsonb_build_object('user_id', forgive_debt.user_id, 'credits', forgive_debt.credits);
  v_user public.users;
  v_before jsonb;
  v_debt private.debts;
  v_left integer := forgive_debt.credits;
  v_forgiven integer;
begin
  if forgive_debt.credits < 1 then
    raise exception 'at least one credit is forgiven' using errcode = 'invalid_parameter_value';
  end if;

  select r.outcome, r.result into outcome, result
  from private.repeated_action('forgive-debt', forgive_debt.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  v_user := private.lock_account(forgive_debt.user_id);
  if v_user.id is null then
    outcome := 'user_not_found';
    return next;
    return;
  end if;
  v_before := private.account_state(v_user);

  for v_debt in
    select d.* from private.debts d
    where d.user_id = v_user.id
    order by d.created_at, d.reference_id
  loop
    v_forgiven := least(v_left, v_debt.credits_owed);
    exit when v_forgiven = 0;
    perform private.reduce_debt(v_debt, v_forgiven, is_forgiven => true);
    v_left := v_left - v_forgiven;
  end loop;

  select u.* into strict v_user from public.users u where u.id = v_user.id;
  outcome := 'done';
  result := jsonb_build_object(
    'user_id', v_user.id,
    'debt_credits', v_user.debt_credits,
    'changed', v_before -> 'debt_credits' <> to_jsonb(v_user.debt_credits)
  );
  perform private.record_action(
    'forgive-debt', forgive_debt.operator, forgive_debt.reason,
    reference_id => forgive_debt.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => forgive_debt.operator_id
  );
  return next;
end;
$$;

comment on function public.forgive_debt is
  'One row. credits: the most that is forgiven, oldest debt first; all of it if left out. No entry in the ledger: a debt is not part of the balance. outcome: done and replayed, with result {user_id, debt_credits, changed}; reference_reused; user_not_found. Only done changes anything.';
