-- Returns the user of the current session, for the policies. A session proves a phone number; with it, a
-- page may read its user's own rows from the Data API and follow them with Realtime.
create function private.session_user_id()
returns uuid
language sql
stable
-- The policies run as the caller, who may not read identities.
security definer
set search_path = ''
as $$
  -- Supabase Auth writes the number without its plus sign.
  select i.user_id from public.identities i
  where i.kind = 'phone'
    and i.value = '+' || ltrim(
      nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'phone', '+'
    );
$$;

comment on function private.session_user_id is
  'The user whose phone number is in the session''s token; null without a session or a number.';
