-- Whether a new user gets the free credits: not somebody who had them, was erased, and came back.
create function private.is_welcome(identity_hashes text[])
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  return case
    -- Before anybody was erased, nobody has to be told apart.
    when not exists (select from public.erased_identities) then true
    when (select s.value > 0 from public.settings s where s.name = 'welcome_after_erasure') then true
    when is_welcome.identity_hashes is not null then not exists (
      select from public.erased_identities e where e.hash = any (is_welcome.identity_hashes)
    )
  end;
end;
$$;

comment on function private.is_welcome is
  'identity_hashes: the keyed hashes of all identities that name the person. Null if they are needed and not given: the functions have the key, and call again.';
