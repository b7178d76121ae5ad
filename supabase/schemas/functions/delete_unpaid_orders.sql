-- Deletes orders that somebody tried to pay, long ago and in vain.
create function public.delete_unpaid_orders()
returns integer
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
-- The planner cannot know how few orders are left by all conditions together, and would read whole tables.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
  with unpaid as (
    select x.id
    from public.payment_orders x
    where x.state <> 'paid'
      and x.tried_at < statement_timestamp() - make_interval(
        days => (select s.value from public.settings s where s.name = 'unpaid_order_retention_days')
      )
      and x.next_check_at is null
      -- Where money has moved, or may have, all of it is kept.
      and not exists (
        select from public.payments p
        where p.order_id = x.id
          and (
            p.status not in ('created', 'failed')
            or exists (select from public.payment_reversals r where r.payment_id = p.id)
            or exists (select from public.operator_actions a where a.payment_id = p.id)
          )
      )
      -- As in delete_abandoned_orders.
      and not x.has_reference
      and not exists (select from public.order_references r where r.order_id = x.id)
      and not exists (select from public.operator_actions a where a.order_id = x.id)
      -- One that could not be delivered stays until somebody has looked at it.
      and not exists (select from public.events e where e.order_id = x.id)
    order by x.tried_at
    limit 1000
    for update skip locked
  ),
  deleted_payments as (
    delete from public.payments p using unpaid u where p.order_id = u.id
  ),
  deleted as (
    delete from public.payment_orders o using unpaid u where o.id = u.id
    returning 1
  )
  select count(*)::integer from deleted;
$$;

comment on function public.delete_unpaid_orders is
  'Housekeeping, see the setting unpaid_order_retention_days. Returns how many it deleted, with what Razorpay has reported of the attempts: at most 1,000.';
