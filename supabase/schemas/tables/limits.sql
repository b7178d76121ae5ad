create table public.rate_limits (
  action text not null,
  scope text not null,
  max_count integer not null,
  window_seconds integer not null,
  primary key (action, scope),
  constraint action_is_known
    check (action in ('wrong_secret', 'create_user', 'create_order', 'verify_payment')),
  constraint scope_is_known check (scope in ('address', 'phone', 'user', 'owner', 'project')),
  constraint max_count_is_never_negative check (max_count >= 0),
  constraint window_is_positive check (window_seconds between 1 and 86400)
);

comment on table public.rate_limits is
  'How often something may happen. Operators may change the rows; a scope without a row is not limited.';
comment on column public.rate_limits.scope is
  'address: the caller''s network address, which can be forged, so it is never the only scope. phone, user: the person the call is about, regardless of the caller. owner: the same, for callers who have proven the number; they are counted here only, so that no stranger can use up their share. project: all other callers together.';

alter table public.rate_limits enable row level security;

-- Unlogged: losing the counts in a crash is cheaper than writing each of them twice.
create unlogged table public.rate_counters (
  action text not null,
  scope text not null,
  subject text not null,
  window_ends_at timestamptz not null,
  count integer not null,
  -- By subject first, so that an erasure finds all that was counted of somebody.
  primary key (subject, action, scope)
);

create index rate_counters_to_forget on public.rate_counters (window_ends_at);

comment on table public.rate_counters is
  'What was counted against rate_limits, in fixed windows. delete_expired_rate_counters removes old ones.';

alter table public.rate_counters enable row level security;
