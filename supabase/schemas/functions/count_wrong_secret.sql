-- Counts a wrong secret against the address that sent it.
create function public.count_wrong_secret(caller_address text)
returns integer
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  select coalesce(c.retry_after_seconds, 0) from private.count_against_limits('wrong_secret', $1) c;
$$;

comment on function public.count_wrong_secret is
  '0, or the number of seconds that the address should wait.';
