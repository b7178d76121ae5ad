-- Looks for adjustments that changed a balance by more or less than they say.
create function private.check_adjustments()
returns table (invariant text, subject text, detail text)
language sql
stable
set search_path = ''
as $$
  with entries as (
    select t.reference_id, coalesce(u.merged_into, u.id) as user_id,
      sum(case t.action when 'credit' then t.credits else -t.credits end) as credits
    from public.credit_transactions t
    join public.users u on u.id = t.user_id
    where t.source = 'adjustment'
    group by t.reference_id, coalesce(u.merged_into, u.id)
  )
  select 'the ledger holds what an adjustment asked for', 'adjustment ' || a.reference_id,
    format('asked for %s, owed %s, forgiven %s, ledger %s', a.credits, a.credits_owed,
      a.credits_forgiven, coalesce(e.credits, 0))
  from public.adjustments a
  left join entries e on e.reference_id = a.reference_id and e.user_id = a.user_id
  where a.credits + a.credits_owed + a.credits_forgiven <> coalesce(e.credits, 0)

  union all
  select 'every entry of an adjustment belongs to one', 'user ' || e.user_id,
    format('reference %s', e.reference_id)
  from entries e
  left join public.adjustments a on a.reference_id = e.reference_id and a.user_id = e.user_id
  where a.reference_id is null;
$$;

comment on function private.check_adjustments is
  'Part of check_invariants.';
