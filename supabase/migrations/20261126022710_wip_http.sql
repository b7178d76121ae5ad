-- Every function has its search_path set, and a captured hold says how much was captured.
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

ALTER TABLE "public"."holds"
  DROP CONSTRAINT "no_more_is_captured_than_was_held";

CREATE OR REPLACE FUNCTION private.price_in_credits (
  quantity        integer,
  credits         integer,
  per_quantity    integer,
  minimum_credits integer
)
  RETURNS bigint
  LANGUAGE sql
  IMMUTABLE
  SET search_path TO ''
RETURN GREATEST((minimum_credits)::bigint, (((((quantity)::bigint + per_quantity) - 1) / per_quantity) * credits));

ALTER TABLE "public"."holds"
  ADD CONSTRAINT "no_more_is_captured_than_was_held" CHECK (
CASE state
    WHEN 'captured'::text THEN ((COALESCE(captured_credits, 0) >= 1) AND (COALESCE(captured_credits, 0) <= credits))
    WHEN 'released'::text THEN (COALESCE(captured_credits, 0) = 0)
    ELSE (captured_credits IS NULL)
END);
