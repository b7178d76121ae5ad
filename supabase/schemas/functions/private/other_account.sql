-- Reads the other account from the reference of a merge's entry.
create function private.other_account(reference_id text)
returns uuid
language sql
immutable
set search_path = ''
as $$
  select case
    when right($1, 36) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then right($1, 36)::uuid
  end;
$$;

comment on function private.other_account is
  'Null if the reference names none.';
