-- Tells whether a session of Supabase Auth is over. Its token does not know, and stays valid until it
-- expires.
create function private.has_session_ended(user_id uuid, session_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  v_is_open boolean;
begin
  -- The table is Auth's own, and not every project has it: so nothing is named before it is looked for.
  if has_session_ended.session_id is null or to_regclass('auth.sessions') is null then
    return false;
  end if;
  execute 'select exists (select from auth.sessions s where s.id = $1 and s.user_id = $2)'
  into v_is_open using has_session_ended.session_id, has_session_ended.user_id;
  return not v_is_open;
exception
  -- The table may belong to a role that lends no rights. Then the token's expiry has to do.
  when insufficient_privilege then
    return false;
end;
$$;

comment on function private.has_session_ended is
  'False where that cannot be known: the token names no session, or the table is not there or not ours to read.';
