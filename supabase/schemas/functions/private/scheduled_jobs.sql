-- What a hosted project runs by itself.
create function private.scheduled_jobs()
returns table (job_name text, schedule text, schedule_without_seconds text, command text)
language sql
immutable
set search_path = ''
as $$
  values
    (
      'credits-reconcile-payments',
      '*/2 * * * *',
      '*/2 * * * *',
      $job$select private.call_edge_function('reconcile-payments')$job$
    ),
    (
      'credits-deliver-events',
      '10 seconds',
      '* * * * *',
      $job$select private.call_edge_function('deliver-events')$job$
    ),
    -- Three in the morning in India. The timeout is set first, because one that a function sets does not
    -- apply to the statement that calls it.
    (
      'credits-check-books',
      '30 21 * * *',
      '30 21 * * *',
      $job$set statement_timeout = '30min'; select public.run_book_check(whole => true)$job$
    ),
    -- pg_cron records every run and deletes none of the records.
    (
      'credits-delete-job-runs',
      '45 21 * * *',
      '45 21 * * *',
      $job$
        delete from cron.job_run_details d
        using cron.job j
        where j.jobid = d.jobid and j.jobname like 'credits-%'
          and coalesce(d.end_time, d.start_time) < now() - interval '7 days'
      $job$
    )
$$;

comment on function private.scheduled_jobs is
  'schedule is in the words of pg_cron, in UTC; schedule_without_seconds is for versions before 1.5, which know no seconds.';
