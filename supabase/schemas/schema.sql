-- The conventions of this schema, said once.
--
-- Closed tables. No role of the Data API may write a table, and only those rows can be read that a
-- policy in policies.sql shows. Everything else goes through functions, so a rule that a function
-- keeps cannot be gone around.
--
-- Security definer. The functions of the schema public run as their owner, because the tables are
-- closed to the roles that call them. Each has an empty search_path and names every object in full,
-- so that a caller cannot slip in an object of their own. The functions of the schema private run
-- inside of them and need no rights of their own.
--
-- Timeouts. Every public function that locks or writes sets both. lock_timeout ends a call that waits
-- for another one's lock, long before the caller gives up. statement_timeout cannot take effect on
-- the statement that is running already, which is what PostgreSQL makes of this setting on a
-- function; PostgREST reads it from the catalogue and sets it before it calls the function.
-- https://docs.postgrest.org/en/v12/references/transactions.html#function-settings

-- Helpers and trigger functions live in a schema that the Data API does not expose.
create schema private;

comment on schema private is
  'Helpers that only the functions of the public schema call. Never listed in the Data API''s schemas.';

-- What is made from here on, also by later migrations, is open to nobody until it is granted: on every
-- project, whether it exposes new objects by default or not.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public
  revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public
  revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public
  revoke all on functions from anon, authenticated, service_role;
