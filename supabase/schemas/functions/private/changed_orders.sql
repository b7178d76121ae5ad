-- Finds the orders that something has happened to.
create function private.changed_orders(since timestamptz, before timestamptz)
returns uuid[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
begin
  return array(
    -- See check_ledger.
    with new_entries as materialized (
      select t.source, t.reference_id from public.credit_transactions t
      where t.created_at >= changed_orders.since and t.created_at < changed_orders.before
    )
    select o.id from public.payment_orders o
    where o.changed_at >= changed_orders.since and o.changed_at < changed_orders.before
    union
    select r.order_id from public.order_references r
    where r.created_at >= changed_orders.since and r.created_at < changed_orders.before
    union
    select p.order_id from public.payments p
    where p.changed_at >= changed_orders.since and p.changed_at < changed_orders.before
    union
    select p.order_id
    from public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    where r.changed_at >= changed_orders.since and r.changed_at < changed_orders.before
    union
    select p.order_id
    from new_entries t
    join public.payments p on p.id = t.reference_id
    where t.source = 'payment'
    union
    select p.order_id
    from new_entries t
    join public.payment_reversals r on r.id = t.reference_id
    join public.payments p on p.id = r.payment_id
    where t.source in ('refund', 'dispute')
  );
end;
$$;

comment on function private.changed_orders is
  'Part of check_changes. Those of the changed orders, payments and reversals, of the new references, and of the new entries about them.';
