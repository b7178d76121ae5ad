-- Looks for anything in the books that must never be.
create function public.check_invariants()
returns table (invariant text, subject text, detail text)
language sql
stable
-- The tables are closed to every role; only this function's owner may read them.
security definer
set search_path = ''
as $$
  with ledger as (
    select
      t.*,
      case t.action when 'credit' then t.credits else -t.credits end as delta,
      lag(t.balance_after, 1, 0) over history as balance_before,
      lag(t.sequence_number, 1, 0) over history as previous_number
    from public.credit_transactions t
    window history as (partition by t.user_id order by t.sequence_number)
  ),
  totals as (
    select l.user_id, sum(l.delta) as credits, count(*) as entries from ledger l group by l.user_id
  )
  select
    'the balance is the sum of the ledger',
    'user ' || u.id,
    format('balance %s, ledger %s', u.credits, coalesce(t.credits, 0))
  from public.users u left join totals t on t.user_id = u.id
  where u.credits <> coalesce(t.credits, 0)

  union all
  select
    'the entries are counted',
    'user ' || u.id,
    format('count %s, entries %s', u.transaction_count, coalesce(t.entries, 0))
  from public.users u left join totals t on t.user_id = u.id
  where u.transaction_count <> coalesce(t.entries, 0)

  union all
  select
    'every entry follows from the one before it',
    'entry ' || l.id,
    format('number %s after %s, balance %s after %s and a %s of %s', l.sequence_number,
      l.previous_number, l.balance_after, l.balance_before, l.action, l.credits)
  from ledger l
  where l.balance_after <> l.balance_before + l.delta
    or l.sequence_number <> l.previous_number + 1

  union all
  select 'the welcome is given once, first, and to everybody', 'user ' || u.id,
    format('%s system entries', count(t.id))
  from public.users u
  left join public.credit_transactions t on t.user_id = u.id and t.source = 'system'
  group by u.id
  having count(t.id) <> 1 or min(t.sequence_number) <> 1

  union all
  select
    'a paid order granted its credits once, to its user',
    'order ' || o.id,
    format('promised %s, granted %s', o.credits, coalesce(sum(t.credits), 0))
  from public.payment_orders o
  left join public.credit_transactions t
    on t.user_id = o.user_id and t.source = 'payment' and t.action = 'credit'
      and t.reference_id = o.razorpay_payment_id
  where o.state = 'paid'
  group by o.id
  having count(t.id) <> 1 or sum(t.credits) <> o.credits

  union all
  select 'every payment entry belongs to a paid order', 'entry ' || t.id,
    format('reference %s', t.reference_id)
  from public.credit_transactions t
  left join public.payment_orders o
    on o.razorpay_payment_id = t.reference_id and o.user_id = t.user_id and o.state = 'paid'
  where t.source = 'payment' and (o.id is null or t.action <> 'credit');
$$;

comment on function public.check_invariants() is
  'Every violated invariant of the books, with its subject; no row when all is well. For an operator and for the tests.';

revoke execute on function public.check_invariants() from public, anon, authenticated;
grant execute on function public.check_invariants() to service_role;
