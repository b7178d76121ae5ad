-- Deletes holds that ended long ago without a charge.
create function public.delete_old_holds()
returns integer
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  with deleted as (
    delete from public.holds h
    using (
      select x.user_id, x.reference_id
      from public.holds x
      -- One that was captured is part of the history: its reference is in the ledger too.
      where x.state in ('released', 'expired')
        and x.ended_at < statement_timestamp() - make_interval(
          days => (select s.value from public.settings s where s.name = 'hold_retention_days')
        )
      order by x.ended_at
      limit 1000
      for update skip locked
    ) old
    where h.user_id = old.user_id and h.reference_id = old.reference_id
    returning 1
  )
  select count(*)::integer from deleted;
$$;

comment on function public.delete_old_holds is
  'Housekeeping, see the setting hold_retention_days. Returns how many it deleted: at most 1,000. A retry that comes later still finds no hold.';
