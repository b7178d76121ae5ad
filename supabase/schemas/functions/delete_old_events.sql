-- Deletes events whose time is over.
create function public.delete_old_events()
returns integer
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  with deleted as (
    delete from public.events e
    where e.id = any (array(
      select x.id
      from public.events x
      where x.created_at < statement_timestamp() - make_interval(
          days => (select s.value from public.settings s where s.name = 'event_retention_days')
        )
        -- One that could not be delivered stays until somebody has looked at it, which nobody does for an
        -- address that is no longer in use.
        and not exists (
          select from public.event_deliveries d
          join public.event_addresses a on a.id = d.address_id and a.removed_at is null
          where d.event_id = x.id and d.state in ('pending', 'dead')
        )
      order by x.created_at
      limit 1000
      for update skip locked
    ))
    returning 1
  )
  select count(*)::integer from deleted;
$$;

comment on function public.delete_old_events is
  'Housekeeping, see the setting event_retention_days. Returns how many it deleted: at most 1,000, with their deliveries.';
