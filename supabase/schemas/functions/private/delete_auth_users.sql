-- Deletes the users of Supabase Auth who have signed in with one of these numbers, and wherever else Auth
-- names the numbers.
create function private.delete_auth_users(phone_numbers text[])
returns text
language plpgsql
set search_path = ''
as $$
declare
  -- Supabase Auth keeps a number as it was spelled when signing in, and writes it without its plus sign.
  v_spellings constant text[] := array(
    select x.spelling
    from unnest(phone_numbers) p (number),
      unnest(private.number_spellings(p.number)) s (number),
      unnest(array[s.number, ltrim(s.number, '+')]) x (spelling)
  );
  -- A log without an index: a longer one would take longer than the call may.
  v_max_log_entries constant integer := 1000000;
  v_user_ids uuid[];
  v_is_log_left boolean := false;
  v_is_second_factor boolean := false;
begin
  -- The tables are Auth's own, and not every project has them: so nothing is named before it is looked for.
  if to_regclass('auth.users') is null
    or not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = 'auth.users'::regclass and a.attname = 'phone' and not a.attisdropped
    )
  then
    return 'none';
  end if;

  execute 'select array(select u.id from auth.users u where u.phone = any ($1))'
  into v_user_ids using v_spellings;
  if to_regclass('auth.audit_log_entries') is not null then
    select c.reltuples > v_max_log_entries into v_is_log_left
    from pg_catalog.pg_class c where c.oid = 'auth.audit_log_entries'::regclass;
    if not v_is_log_left then
      -- As a text, because a number stands in several places: an administrator's entries name whom they are
      -- about, and those of a user who was deleted before still name that user.
      execute 'delete from auth.audit_log_entries e where e.payload::text like any ($1)'
      using array(
        select '%"' || n.name || '"%' from unnest(v_spellings || v_user_ids::text[]) n (name)
      );
    end if;
  end if;
  execute 'delete from auth.users u where u.id = any ($1)' using v_user_ids;
  -- Somebody else may be about to take over the number.
  execute 'update auth.users u set phone_change = '''', phone_change_token = ''''
    where u.phone_change = any ($1)'
  using v_spellings;
  if to_regclass('auth.one_time_tokens') is not null then
    execute 'delete from auth.one_time_tokens t where t.relates_to = any ($1)' using v_spellings;
  end if;
  -- Somebody else may have it as a second factor. Without that, a password alone would open their account,
  -- so an operator decides.
  if exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = to_regclass('auth.mfa_factors') and a.attname = 'phone' and not a.attisdropped
  ) then
    execute 'select exists (select from auth.mfa_factors f where f.phone = any ($1))'
    into v_is_second_factor using v_spellings;
  end if;
  return case
    when v_is_log_left or v_is_second_factor then 'left'
    when cardinality(v_user_ids) > 0 then 'deleted'
    else 'none'
  end;
exception
  -- The tables may belong to a role that lends no rights, be of another shape, or be referred to.
  when insufficient_privilege or undefined_column or undefined_function or undefined_table
    or foreign_key_violation or restrict_violation or untranslatable_character
  then
    return 'left';
end;
$$;

comment on function private.delete_auth_users is
  'none: there is nobody to delete. deleted: with their sessions, and what Auth has logged about them. left: an operator has to do some or all of it, because this role may not, it would take too long, or the number is the second factor of somebody else.';
