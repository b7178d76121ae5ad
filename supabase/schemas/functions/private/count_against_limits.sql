-- Counts an action against its limits and returns how long to wait if it exceeds one.
create function private.count_against_limits(
  action text,
  address text default null,
  phone text default null,
  user_id uuid default null
)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_limit record;
  v_counter public.rate_counters;
begin
  for v_limit in
    select l.scope, l.max_count, make_interval(secs => l.window_seconds) as period, s.subject
    from public.rate_limits l
    join (
      values
        ('address', count_against_limits.address),
        ('phone', count_against_limits.phone),
        ('user', count_against_limits.user_id::text),
        ('project', 'all')
    ) s (scope, subject) on s.scope = l.scope
    where l.action = count_against_limits.action and s.subject is not null
    -- Counters are always locked in one order, so that no two calls wait for each other. The shared
    -- one comes last: a caller over their own limit must not consume it for everyone else.
    order by l.scope = 'project', l.scope
  loop
    insert into public.rate_counters as c (action, scope, subject, window_ends_at, count)
    values (count_against_limits.action, v_limit.scope, v_limit.subject,
      clock_timestamp() + v_limit.period, 1)
    on conflict on constraint rate_counters_pkey do update
    set count = case when c.window_ends_at <= clock_timestamp() then 1 else c.count + 1 end,
        window_ends_at = case
          when c.window_ends_at <= clock_timestamp() then excluded.window_ends_at
          else c.window_ends_at
        end
    returning * into v_counter;

    if v_counter.count > v_limit.max_count then
      return greatest(ceil(extract(epoch from v_counter.window_ends_at - clock_timestamp())), 1);
    end if;
  end loop;

  return 0;
end;
$$;

comment on function private.count_against_limits is
  '0 if the action is allowed, otherwise the seconds until it is.';
