-- Deletes the rate counters whose window is over.
create function public.delete_expired_rate_counters()
returns void
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  delete from public.rate_counters c
  using (
    select r.action, r.scope, r.subject
    from public.rate_counters r
    where r.window_ends_at < clock_timestamp()
    -- A counter that is locked is about to start a new window, and its caller must not be kept waiting.
    for update skip locked
  ) expired
  where c.action = expired.action and c.scope = expired.scope and c.subject = expired.subject;
$$;

comment on function public.delete_expired_rate_counters is
  'Housekeeping, to be called now and then. An expired counter counts as zero in any case.';
