-- Looks for a limit that is used up, and changes nothing.
create function private.exceeded_limit(
  action text,
  address text default null,
  owner text default null,
  project text default 'all'
)
returns table (scope text, retry_after_seconds integer)
language sql
stable
set search_path = ''
as $$
  select
    l.scope,
    greatest(
      ceil(coalesce(extract(epoch from c.window_ends_at - clock_timestamp()), l.window_seconds)), 1
    )::integer
  from public.rate_limits l
  join (values ('address', $2), ('owner', $3), ('project', $4)) s (scope, subject)
    on s.scope = l.scope
  left join public.rate_counters c
    on c.action = l.action and c.scope = l.scope and c.subject = s.subject
      and c.window_ends_at > clock_timestamp()
  where l.action = $1 and s.subject is not null and coalesce(c.count, 0) >= l.max_count
  -- The limit for all comes first, so that everybody gets the same response.
  order by l.scope = 'project' desc, l.scope
  limit 1;
$$;

comment on function private.exceeded_limit is
  'One row: the scope, and the seconds until it is open again; no row if none is exceeded.';
