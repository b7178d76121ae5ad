-- What an operator's action may change of an account, for the record.
create function private.account_state(account public.users)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'credits', (account).credits,
    'reserved_credits', (account).held_credits,
    'debt_credits', (account).debt_credits,
    'frozen_at', (account).frozen_at
  );
end;
$$;

comment on function private.account_state is
  'Holds nothing by which somebody could be recognized.';
