-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

-- The policies take a session for what the functions take it for: not for one of another audience, of
-- somebody else's app, or of somebody anonymous, and the phone number only as text.

CREATE OR REPLACE FUNCTION private.session_user_id()
  RETURNS uuid
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  with session as (
    select nullif(current_setting('request.jwt.claims', true), '')::jsonb as claims
  )
  select i.user_id
  from session s
  -- Supabase Auth writes the number without its plus sign.
  join public.identities i
    on i.kind = 'phone' and i.value = '+' || regexp_replace(s.claims ->> 'phone', '^\+', '')
  where jsonb_typeof(s.claims -> 'phone') = 'string'
    and s.claims -> 'aud' = '"authenticated"'
    and s.claims -> 'role' = '"authenticated"'
    and coalesce(s.claims -> 'is_anonymous', 'false') in ('false', 'null')
    and s.claims ->> 'client_id' is null;
$function$;
