-- Returns the user of the current session, for the policies. A session proves a phone number; with it, a
-- page may read its user's own rows from the Data API and follow them with Realtime.
--
-- The rule is that of functions-shared/auth/session.ts: a user who signed in here with their own
-- number, however it was spelled, not anonymously, and not through somebody else's app, whose tokens have
-- a client_id.
create function private.session_user_id()
returns uuid
language sql
stable
-- The policies run as the caller, who may not read identities.
security definer
set search_path = ''
as $$
  with session as (
    select nullif(current_setting('request.jwt.claims', true), '')::jsonb as claims
  )
  select i.user_id
  from session s
  -- Supabase Auth writes the number without its plus sign.
  join public.identities i
    on i.kind = 'phone'
    and i.value = (
      private.number_spellings('+' || regexp_replace(s.claims ->> 'phone', '^\+', ''))
    )[1]
  where jsonb_typeof(s.claims -> 'phone') = 'string'
    and s.claims -> 'aud' = '"authenticated"'
    and s.claims -> 'role' = '"authenticated"'
    and coalesce(s.claims -> 'is_anonymous', 'false') in ('false', 'null')
    and s.claims ->> 'client_id' is null;
$$;

comment on function private.session_user_id is
  'The user whose phone number is in the session''s token; null without a session or a number.';
