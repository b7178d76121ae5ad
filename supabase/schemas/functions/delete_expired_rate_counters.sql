-- Deletes rate counters whose window is over.
create function public.delete_expired_rate_counters()
returns integer
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  with deleted as (
    delete from public.rate_counters c
    -- Few enough to be deleted in much less than the time limit.
    where c.ctid = any (array(
      select r.ctid
      from public.rate_counters r
      where r.window_ends_at < statement_timestamp()
      order by r.window_ends_at
      limit 10000
      -- A counter that is locked is about to start a new window, and its caller must not be kept waiting.
      for update skip locked
    ))
    returning 1
  )
  select count(*)::integer from deleted;
$$;

comment on function public.delete_expired_rate_counters is
  'Housekeeping. Returns how many it deleted: at most 10,000, so that a call never takes long. An expired counter counts as zero in any case.';
