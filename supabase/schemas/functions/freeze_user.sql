-- Keeps an account from spending. What is reserved may still be captured in time, and payments and
-- refunds go on.
create function public.freeze_user(
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
    freeze_user.user_id, true, freeze_user.operator, freeze_user.reason,
    freeze_user.reference_id, freeze_user.operator_id
  ) f;
end;
$$;

comment on function public.freeze_user is
  'One row. Also done where the account was frozen before. outcome: done and replayed, with result {user_id, frozen, changed}; reference_reused; user_not_found. Only done changes anything.';
