-- Deletes rate counters whose window is over.
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
  -- Few enough to be deleted in much less than the time limit. If forged addresses have left more, the
  -- next calls delete those.
  where c.ctid = any (array(
    select r.ctid
    from public.rate_counters r
    where r.window_ends_at < statement_timestamp()
    order by r.window_ends_at
    limit 10000
    -- A counter that is locked is about to start a new window, and its caller must not be kept waiting.
    for update skip locked
  ));
$$;

comment on function public.delete_expired_rate_counters is
  'Housekeeping, to be called now and then: at most 10,000 counters in a call. An expired counter counts as zero in any case.';
