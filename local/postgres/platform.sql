-- What a hosted Supabase project already has before the first migration of this repository: roles,
-- schemas, the helper functions of auth, privileges. Runs as a superuser, on every start.
--
-- Two settings of the session are its arguments: `platform.password`, the password for the roles that log
-- in (empty to leave theirs unchanged), and `platform.expose_new_objects` (a boolean), whether new objects
-- in the schema public are granted to the three roles of the Data API, as in projects created before
-- 30 October 2026.

do $$
declare
  v_password constant text := current_setting('platform.password');
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role', 'authenticator', 'postgres']
  loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
      execute format('create role %I', v_role);
    end if;
  end loop;

  -- The roles of the Data API's callers: a visitor, a signed-in user, the holder of the secret key.
  alter role anon nologin noinherit;
  alter role authenticated nologin noinherit;
  alter role service_role nologin noinherit bypassrls;

  -- The role that PostgREST logs in as. It switches to one of the three for each request.
  alter role authenticator login noinherit;
  grant anon, authenticated, service_role to authenticator;

  -- The role that runs migrations. It owns what they create, and is not a superuser.
  alter role postgres login createrole createdb bypassrls replication;
  grant anon, authenticated, service_role, authenticator to postgres with admin option;
  alter role postgres set search_path = "$user", public, extensions;

  if v_password <> '' then
    execute format('alter role authenticator password %L', v_password);
    execute format('alter role postgres password %L', v_password);
  end if;

  execute format('alter database %I owner to postgres', current_database());
end;
$$;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

grant usage on schema public to anon, authenticated, service_role;

create schema if not exists extensions;
alter schema extensions owner to postgres;
grant usage on schema extensions to anon, authenticated, service_role;

-- The caller's identity, from the claims of the request's token.
create schema if not exists auth;
alter schema auth owner to postgres;
grant usage on schema auth to anon, authenticated, service_role;

create or replace function auth.jwt() returns jsonb
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb;
$$;

create or replace function auth.uid() returns uuid
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
  )::uuid;
$$;

create or replace function auth.role() returns text
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
  );
$$;

alter function auth.jwt() owner to postgres;
alter function auth.uid() owner to postgres;
alter function auth.role() owner to postgres;

do $$
begin
  if current_setting('platform.expose_new_objects')::boolean then
    alter default privileges for role postgres in schema public
      grant all on tables to anon, authenticated, service_role;
    alter default privileges for role postgres in schema public
      grant all on functions to anon, authenticated, service_role;
    alter default privileges for role postgres in schema public
      grant all on sequences to anon, authenticated, service_role;
  else
    alter default privileges for role postgres in schema public
      revoke all on tables from anon, authenticated, service_role;
    alter default privileges for role postgres in schema public
      revoke all on functions from anon, authenticated, service_role;
    alter default privileges for role postgres in schema public
      revoke all on sequences from anon, authenticated, service_role;
  end if;
end;
$$;

-- Tells the Data API to reload the schema whenever it has changed.
create or replace function extensions.pgrst_ddl_watch() returns event_trigger
language plpgsql
as $$
begin
  notify pgrst, 'reload schema';
end;
$$;

do $$
begin
  if not exists (select from pg_catalog.pg_event_trigger where evtname = 'pgrst_ddl_watch') then
    create event trigger pgrst_ddl_watch on ddl_command_end
      execute function extensions.pgrst_ddl_watch();
  end if;
end;
$$;
