-- A session proves a phone number. With it, a page may read its user's own rows straight from the
-- Data API and follow them with Realtime; it writes nothing, and sees nobody else's.
create function private.session_user_id()
returns uuid
language sql
stable
-- The policies are evaluated as the caller, who may not read the identities.
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
  'The user whose phone number the session''s token carries; null without a session or a number.';
