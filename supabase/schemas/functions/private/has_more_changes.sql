-- Says whether more than a number of rows were written within a time.
create function private.has_more_changes(
  since timestamptz,
  before timestamptz,
  max_changes integer
)
returns boolean
language plpgsql
stable
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
set enable_seqscan = off
as $$
begin
  return (
    select count(*) > has_more_changes.max_changes
    from (
      select from public.credit_transactions t
      where t.created_at >= has_more_changes.since and t.created_at < has_more_changes.before
      union all
      select from public.holds h
      where h.created_at >= has_more_changes.since and h.created_at < has_more_changes.before
      union all
      select from public.holds h
      where h.ended_at >= has_more_changes.since and h.ended_at < has_more_changes.before
      union all
      select from public.payment_orders o
      where o.changed_at >= has_more_changes.since and o.changed_at < has_more_changes.before
      union all
      select from public.order_references r
      where r.created_at >= has_more_changes.since and r.created_at < has_more_changes.before
      union all
      select from public.payments p
      where p.changed_at >= has_more_changes.since and p.changed_at < has_more_changes.before
      union all
      select from public.payment_reversals r
      where r.changed_at >= has_more_changes.since and r.changed_at < has_more_changes.before
      union all
      select from public.adjustments a
      where a.changed_at >= has_more_changes.since and a.changed_at < has_more_changes.before
      -- Enough to know.
      limit has_more_changes.max_changes + 1
    ) changes
  );
end;
$$;

comment on function private.has_more_changes is
  'Takes time in proportion to max_changes at most.';
