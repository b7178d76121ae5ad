-- Looks for entries that do not add up.
create function private.check_ledger()
returns table (invariant text, subject text, detail text)
language sql
stable
set search_path = ''
as $$
  with ledger as (
    select
      t.id, t.user_id, t.action, t.credits, t.sequence_number, t.balance_after,
      case t.action when 'credit' then t.credits else -t.credits end as delta,
      lag(t.balance_after, 1, 0) over history as balance_before,
      lag(t.sequence_number, 1, 0) over history as previous_number
    from public.credit_transactions t
    window history as (partition by t.user_id order by t.sequence_number)
  ),
  totals as (
    select t.user_id,
      sum(case t.action when 'credit' then t.credits else -t.credits end) as credits,
      count(*) as entries
    from public.credit_transactions t
    group by t.user_id
  ),
  merges as (
    select t.id, t.user_id, t.action, t.credits, t.reference_id, t.sequence_number,
      o.id as other_id, o.merged_into as other_merged_into
    from public.credit_transactions t
    left join public.users o on o.id::text = right(t.reference_id, 36)
    where t.source = 'merge'
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
  having count(t.id) <> case when u.is_without_welcome then 0 else 1 end
    or min(t.sequence_number) <> 1

  union all
  select 'nothing of an erased user names a person', 'user ' || u.id,
    format('entry %s has a reference of its own', min(t.sequence_number))
  from public.users u
  join public.credit_transactions t on t.user_id = u.id
  where u.erased_at is not null
    and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
    and t.reference_id not like 'erased %'
  group by u.id

  union all
  select 'a merge moves what it takes', 'entry ' || m.id, format('%s %s', m.action, m.reference_id)
  from merges m
  where not exists (
    select from merges other
    where other.reference_id = case m.action
        when 'debit' then replace(left(m.reference_id, -36), 'into ', 'from ')
        else replace(left(m.reference_id, -36), 'from ', 'into ')
      end || m.user_id
      and other.credits = m.credits
  )

  union all
  select 'only a merged account gives its credits to another', 'entry ' || m.id,
    format('%s, but user %s is merged into %s', m.reference_id, u.id,
      coalesce(u.merged_into::text, 'none'))
  from merges m
  join public.users u on u.id = m.user_id
  where m.action = 'debit'
    -- The other one may itself have been merged since.
    and u.merged_into is distinct from coalesce(m.other_merged_into, m.other_id)

  union all
  -- Two accounts may each have charged a reference before they were merged, but never after.
  select 'a reference that a merged account has charged is not charged again', 'entry ' || again.id,
    format('reference %s', again.reference_id)
  from merges m
  join public.credit_transactions charged
    on charged.user_id = m.other_id
      and charged.source not in ('refund', 'dispute')
  join public.credit_transactions again
    on again.user_id = m.user_id
      and again.source = charged.source
      and again.reference_id = charged.reference_id
      and again.sequence_number > m.sequence_number
  where m.action = 'credit';
$$;

comment on function private.check_ledger is
  'Part of check_invariants.';
