-- Not logged to disk: a crash forgets the counts, and that is cheaper than to write them twice.
create unlogged table public.rate_counters (
  action text not null,
  scope text not null,
  subject text not null,
  window_ends_at timestamptz not null,
  count integer not null,
  primary key (action, scope, subject)
);

create index rate_counters_to_forget on public.rate_counters (window_ends_at);

comment on table public.rate_counters is
  'What was counted against the rate_limits, in fixed windows. claim_orders_to_check forgets old ones.';

alter table public.rate_counters enable row level security;
revoke all on table public.rate_counters from public, anon, authenticated, service_role;
