-- Deletes deliveries of Razorpay's webhook whose time is over.
create function public.delete_old_webhooks()
returns integer
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  with deleted as (
    delete from public.webhook_deliveries d
    where d.id = any (array(
      select x.id
      from public.webhook_deliveries x
      -- One that failed stays until somebody has looked at it.
      where x.outcome is not null
        and x.outcome <> 'failed'
        and x.received_at < statement_timestamp() - make_interval(
          days => (select s.value from public.settings s where s.name = 'webhook_retention_days')
        )
      order by x.received_at
      limit 1000
      for update skip locked
    ))
    returning 1
  )
  select count(*)::integer from deleted;
$$;

comment on function public.delete_old_webhooks is
  'Housekeeping, see the setting webhook_retention_days. Returns how many it deleted: at most 1,000.';
