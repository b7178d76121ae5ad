-- Deletes old orders that nobody tried to pay.
create function public.delete_abandoned_orders()
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
  with deleted as (
    delete from public.payment_orders o
    where o.id = any (array(
      select x.id
      from public.payment_orders x
      where x.state <> 'paid'
        and x.tried_at is null
        and x.next_check_at is null
        -- Long after Razorpay was asked for the last time, see finish_order_check.
        and x.created_at < statement_timestamp() - interval '30 days'
        -- A repeated reference returns its order, and an operator's action is kept forever.
        and not x.has_reference
        -- One whose has_reference is wrong must not keep all the others from being deleted.
        and not exists (select from public.order_references r where r.order_id = x.id)
        and not exists (select from public.operator_actions a where a.order_id = x.id)
      order by x.created_at
      limit 1000
      for update skip locked
    ))
    returning 1
  )
  select count(*)::integer from deleted;
$$;

comment on function public.delete_abandoned_orders is
  'Housekeeping. Anyone may order for any number, so an order that came to nothing must not keep the number. Returns how many it deleted: at most 1,000.';
