-- The check of adjustments looks at their old entries, too.
--
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

CREATE OR REPLACE FUNCTION private.check_adjustments (
  since    timestamp with time zone,
  before   timestamp with time zone,
  user_ids uuid[]
)
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text,
    user_id   uuid,
    order_id  uuid
  )
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  SET plan_cache_mode TO 'force_custom_plan'
  AS $function$
#variable_conflict use_column
begin
  return query
  with adjustments as not materialized (
    select a.* from public.adjustments a where check_adjustments.user_ids is null
    union all
    select a.*
    from unnest(check_adjustments.user_ids) c (id)
    join public.adjustments a on a.user_id = c.id
  ),
  -- See check_ledger.
  new_entries as materialized (
    select t.* from public.credit_transactions t
    where t.created_at >= check_adjustments.since and t.created_at < check_adjustments.before
  ),
  entries as not materialized (
    select t.* from public.credit_transactions t
    where check_adjustments.since is null
      and (check_adjustments.user_ids is null or t.user_id = any (check_adjustments.user_ids))
    union all
    select n.* from new_entries n where check_adjustments.since is not null
    union all
    -- However old they are.
    select t.*
    from adjustments a
    join public.credit_transactions t
      on t.source = 'adjustment' and t.reference_id = a.reference_id
    where check_adjustments.since is not null
  )
  select 'the ledger holds what an adjustment asked for', 'adjustment ' || a.reference_id,
    format('asked for %s, owed %s, forgiven %s, ledger %s', a.credits, a.credits_owed,
      a.credits_forgiven,
      coalesce(sum(case t.action when 'credit' then t.credits else -t.credits end), 0)),
    a.user_id, null::uuid
  from adjustments a
  left join (
    public.credit_transactions t
    join public.users u on u.id = t.user_id
  )
    on t.source = 'adjustment'
      and t.reference_id = a.reference_id
      and coalesce(u.merged_into, u.id) = a.user_id
  group by a.reference_id, a.user_id, a.credits, a.credits_owed, a.credits_forgiven
  having a.credits + a.credits_owed + a.credits_forgiven
    <> coalesce(sum(case t.action when 'credit' then t.credits else -t.credits end), 0)

  union all
  select 'every entry of an adjustment belongs to one', 'entry ' || t.id,
    format('reference %s', t.reference_id),
    t.user_id, null
  from entries t
  join public.users u on u.id = t.user_id
  left join public.adjustments a
    on a.reference_id = t.reference_id and a.user_id = coalesce(u.merged_into, u.id)
  where t.source = 'adjustment' and a.reference_id is null;
end;
$function$;
