-- Looks for anything in the books that must never occur.
create function public.check_invariants()
returns table (invariant text, subject text, detail text)
language sql
stable
security definer
set search_path = ''
as $$
  select c.* from private.check_ledger() c
  union all
  select c.* from private.check_accounts() c
  union all
  select c.* from private.check_orders() c
  union all
  select c.* from private.check_payments() c
  union all
  select c.* from private.check_reversals() c
  union all
  select c.* from private.check_adjustments() c;
$$;

comment on function public.check_invariants is
  'Returns every violated invariant of the books with its subject, and no row if all is well. For operators and for tests. Reads every table in full, a fixed number of times, so call it over a direct connection, once a day.';
