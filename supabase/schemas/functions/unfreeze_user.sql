-- Lets a frozen account spend again.
create function public.unfreeze_user(
  user_id uuid,
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
begin
  return query select f.outcome, f.result
  from private.set_frozen(
    unfreeze_user.user_id, false, unfreeze_user.operator, unfreeze_user.reason,
    unfreeze_user.reference_id, unfreeze_user.operator_id
  ) f;
end;
$$;

comment on function public.unfreeze_user is
  'One row. Also done where the account was not frozen. outcome: done and replayed, with result {user_id, frozen, changed}; reference_reused; user_not_found. Only done changes anything.';
