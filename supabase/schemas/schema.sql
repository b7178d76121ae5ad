-- The conventions of this schema, stated once.
--
-- Closed tables. No role of the Data API may write to a table, and a page reads only the rows that a
-- policy in policies.sql shows it. Everything else goes through functions, so the rules they enforce
-- cannot be bypassed.
--
-- Security definer. The functions in `public` run as their owner, because the tables are closed to the
-- roles that call them. Every function has an empty search_path and names each object in full, so that
-- a caller cannot substitute an object of their own. The functions in `private` are helpers and need no
-- rights of their own.
--
-- Timeouts. Every public function that locks or writes sets both. lock_timeout ends a call that waits
-- for another one's lock well before the caller gives up. statement_timeout bounds the whole call. By
-- itself PostgreSQL would not apply it to the statement that is already running; PostgREST reads it
-- from the function and sets it before the call:
-- https://docs.postgrest.org/en/v12/references/transactions.html#function-settings
--
-- Lock order. First the reference of an operator's action, or the identities that a call names (advisory
-- locks: a number before a WhatsApp user id), then users, two of them in the order of their ids, then the
-- order and its payments, and the rate counters last: calls that meet wait for each other in turn and
-- never in a circle, and nobody waits for anything while holding a counter that others need.
--
-- Merges. An account can be merged into another one while a call waits for its lock. A call that has
-- waited looks again, and if necessary starts over inside a block with an exception handler, because
-- rolling back the block releases the lock that is of no use. Deductions, reservations and captures keep
-- that lock, because such a block would make every one of them slower; one that deadlocks with a merge
-- is rolled back as a whole and called again by functions-shared/database/rpc.ts.

-- Helpers and trigger functions live in a schema that the Data API does not expose.
create schema private;

comment on schema private is
  'Helpers of the functions in public, and what the owner of the database runs. Never to be listed in the Data API''s schemas.';

-- Objects are closed when they are created, including those of later migrations, until they are
-- granted: on every project, whether or not it exposes new objects by default.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public
  revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public
  revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public
  revoke all on functions from anon, authenticated, service_role;
