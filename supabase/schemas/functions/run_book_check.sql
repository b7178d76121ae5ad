-- Checks what was written since the last run, or everything, and records what is wrong.
create function public.run_book_check(
  whole boolean default false,
  max_changes integer default 20000
)
returns table (outcome text, violation_count integer)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  -- Rows carry the time when they were written, not when they were committed. No function that writes
  -- them takes longer than 4 seconds over the Data API.
  v_complete_until timestamptz := v_now - interval '1 minute';
  v_since timestamptz;
  v_before timestamptz := v_now;
  v_is_skipped boolean := false;
  v_known_user_ids uuid[] := '{}';
  v_known_order_ids uuid[] := '{}';
begin
  if run_book_check.max_changes is null or run_book_check.max_changes < 1 then
    raise exception 'a run takes on at least one change, not %', run_book_check.max_changes
      using errcode = 'invalid_parameter_value';
  end if;
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('book check', 0)) then
    outcome := 'busy';
    violation_count := 0;
    return next;
    return;
  end if;

  if run_book_check.whole then
    v_before := null;
  else
    -- The first run takes on a day: what is older is for a run of the whole. least, because the server's
    -- clock may have been set back.
    v_since := least(
      coalesce(
        (select c.complete_until from public.book_checks c order by c.id desc limit 1),
        v_now - interval '1 day'
      ),
      v_complete_until
    );
    -- After a pause, the runs catch up in steps that each end in time.
    while private.has_more_changes(v_since, v_before, run_book_check.max_changes) loop
      v_before := v_since + (v_before - v_since) / 2;
      -- Nothing but a bulk change writes so much at one moment. It is for a run of the whole, and must
      -- not stop the runs after it.
      if v_before - v_since < interval '1 millisecond' then
        v_before := v_since + interval '1 millisecond';
        v_is_skipped := true;
        exit;
      end if;
    end loop;
    v_complete_until := least(v_before, v_complete_until);

    -- What was found earlier is looked for again, whether or not it has changed since: the longest ago
    -- first, and as many users as have so many entries together. One who has more alone is left to a run
    -- of the whole, and keeps none of the others waiting.
    v_known_user_ids := array(
      select o.user_id
      from (
        select v.user_id,
          sum(coalesce(max(u.transaction_count), 0)) over (order by min(v.checked_at), v.user_id)
            as entries_so_far
        from public.book_violations v
        left join public.users u on u.id = v.user_id
        where v.gone_at is null and v.user_id is not null
          and coalesce(u.transaction_count, 0) <= run_book_check.max_changes
        group by v.user_id
      ) o
      where o.entries_so_far <= run_book_check.max_changes
      order by o.entries_so_far
      limit 100
    );
    v_known_order_ids := array(
      select v.order_id
      from public.book_violations v
      where v.gone_at is null and v.order_id is not null
      group by v.order_id
      order by min(v.checked_at)
      limit 100
    );
  end if;

  with found as materialized (
    select distinct on (c.invariant, c.subject) c.*
    from (
      select w.* from private.check_scope(null, null, null, null) w where run_book_check.whole
      union all
      select n.* from private.check_changes(v_since, v_before) n
      where not run_book_check.whole and not v_is_skipped
      union all
      select k.* from private.check_subjects(v_known_user_ids, v_known_order_ids) k
      where not run_book_check.whole
    ) c
    order by c.invariant, c.subject
  ),
  still_there as (
    update public.book_violations v
    set detail = f.detail, checked_at = v_now
    from found f
    where v.gone_at is null and v.invariant = f.invariant and v.subject = f.subject
  ),
  gone as (
    update public.book_violations v
    set checked_at = v_now, gone_at = v_now
    where v.gone_at is null
      and (run_book_check.whole
        or v.user_id = any (v_known_user_ids)
        or v.order_id = any (v_known_order_ids)
        -- Looked for by every run.
        or num_nonnulls(v.user_id, v.order_id) = 0)
      and not exists (
        select from found f where f.invariant = v.invariant and f.subject = v.subject
      )
  ),
  new as (
    insert into public.book_violations
      (invariant, subject, detail, user_id, order_id, found_at, checked_at)
    select f.invariant, f.subject, f.detail, f.user_id, f.order_id, v_now, v_now
    from found f
    where not exists (
      select from public.book_violations v
      where v.gone_at is null and v.invariant = f.invariant and v.subject = f.subject
    )
    -- Enough to show what is wrong, even if everything is.
    limit 1000
  )
  select count(*)::integer into violation_count from found;

  insert into public.book_checks
    (is_whole, since, before, complete_until, violation_count, checked_at)
  values (run_book_check.whole, v_since, v_before, v_complete_until, violation_count, v_now);
  delete from public.book_checks c
  where c.violation_count = 0 and c.checked_at < v_now - interval '7 days';

  outcome := case when v_before < v_now then 'behind' else 'caught_up' end;
  return next;
end;
$$;

comment on function public.run_book_check is
  'One row. outcome: caught_up; behind (there was more than max_changes: call again to go on); busy (another run is at work, and this call did nothing). list_attention shows what is found until a later run no longer finds it. whole: everything, and all that was found earlier; it takes as long as check_invariants() and needs a direct connection.';
