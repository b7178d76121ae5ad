-- Counts a wrong secret against the address that sent it.
create function public.count_failed_secret(limited_address text)
returns integer
language sql
volatile
-- The tables are closed to every role; only this function's owner may write them.
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  select private.count_against_limits('fail_secret', $1);
$$;

comment on function public.count_failed_secret(text) is
  '0, or the seconds for which the address should be told to wait.';

revoke execute on function public.count_failed_secret(text) from public, anon, authenticated;
grant execute on function public.count_failed_secret(text) to service_role;
