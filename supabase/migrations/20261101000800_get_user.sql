-- Tells a user's profile and balance, and makes the user on first contact.
create function public.get_user(phone_number text)
returns table (user_id uuid, credits integer, created_at timestamptz)
language sql
volatile
-- The tables are closed to every role; only this function's owner may read them.
security definer
set search_path = ''
set lock_timeout = '3s'
as $$
  select u.id, u.credits, u.created_at from private.ensure_user($1) u;
$$;

comment on function public.get_user(text) is
  'The user of a phone number (E.164), created on first contact. Always one row.';

revoke execute on function public.get_user(text) from public, anon, authenticated;
grant execute on function public.get_user(text) to service_role;
