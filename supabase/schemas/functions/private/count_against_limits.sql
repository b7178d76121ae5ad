-- Counts an action against its limits, unless it exceeds one.
create function private.count_against_limits(
  action text,
  address text default null,
  identity text default null,
  owner text default null,
  project text default 'all',
  out exceeded_scope text,
  out retry_after_seconds integer
)
language plpgsql
set search_path = ''
as $$
declare
  v_limit record;
  v_window_ends_at timestamptz;
begin
  -- Reading first means that refusals write nothing, however many there are.
  select e.scope, e.retry_after_seconds into exceeded_scope, retry_after_seconds
  from private.exceeded_limit(
    count_against_limits.action, count_against_limits.address, count_against_limits.owner,
    count_against_limits.project
  ) e;
  if found then
    return;
  end if;

  for v_limit in
    select l.scope, l.max_count, make_interval(secs => l.window_seconds) as period, s.subject
    from public.rate_limits l
    join (
      values
        ('address', count_against_limits.address),
        ('owner', count_against_limits.owner),
        ('phone', count_against_limits.identity),
        ('user', count_against_limits.identity),
        ('project', count_against_limits.project)
    ) s (scope, subject) on s.scope = l.scope
    where l.action = count_against_limits.action and s.subject is not null
    -- Counters are always locked in one order, so that no two calls wait for each other. The shared
    -- one comes last: what another limit refuses must not consume it for everyone else.
    order by l.scope = 'project', l.scope
  loop
    insert into public.rate_counters as c (action, scope, subject, window_ends_at, count)
    select count_against_limits.action, v_limit.scope, v_limit.subject,
      clock_timestamp() + v_limit.period, 1
    where v_limit.max_count > 0
    on conflict on constraint rate_counters_pkey do update
    set count = case when c.window_ends_at <= clock_timestamp() then 1 else c.count + 1 end,
        window_ends_at = case
          when c.window_ends_at <= clock_timestamp() then excluded.window_ends_at
          else c.window_ends_at
        end
    where c.count < v_limit.max_count or c.window_ends_at <= clock_timestamp();
    continue when found;

    select c.window_ends_at into v_window_ends_at from public.rate_counters c
    where c.action = count_against_limits.action
      and c.scope = v_limit.scope
      and c.subject = v_limit.subject;
    exceeded_scope := v_limit.scope;
    retry_after_seconds := greatest(
      ceil(extract(epoch from
        coalesce(v_window_ends_at - clock_timestamp(), v_limit.period))), 1
    );
    -- A refused call counts against the address only, not against the person it was about.
    update public.rate_counters c set count = c.count - 1
    where v_limit.scope = 'project'
      and c.action = count_against_limits.action
      and c.scope in ('phone', 'user')
      and c.subject = count_against_limits.identity;
    return;
  end loop;
end;
$$;

comment on function private.count_against_limits is
  'Null if the action is allowed; otherwise the scope that is exceeded, and for how many seconds. To be called after everything that may have to wait: the counters are shared, and stay locked until the transaction ends.';
