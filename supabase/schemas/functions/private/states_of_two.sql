-- What a merge may change of two accounts, for the record.
create function private.states_of_two(from_user_id uuid, into_user_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_object_agg(
      case u.id when from_user_id then 'from' else 'into' end, private.account_state(u)
    )
    from public.users u
    where u.id in (from_user_id, into_user_id)
  );
end;
$$;

comment on function private.states_of_two is
  'See private.account_state.';
