create table public.rate_limits (
  action text not null,
  scope text not null,
  max_count integer not null,
  window_seconds integer not null,
  primary key (action, scope),
  constraint action_is_known
    check (action in ('fail_secret', 'create_user', 'create_order', 'verify_payment')),
  constraint scope_is_known check (scope in ('address', 'phone', 'user', 'project')),
  constraint max_count_is_never_negative check (max_count >= 0),
  constraint window_is_positive check (window_seconds between 1 and 86400)
);

comment on table public.rate_limits is
  'How often something may happen. An operator changes the rows; a scope without a row is not limited.';
comment on column public.rate_limits.scope is
  'address: the caller''s network address, which can be forged, so it is never the only scope. phone, user: whom it is about. project: all together.';

alter table public.rate_limits enable row level security;
revoke all on table public.rate_limits from public, anon, authenticated, service_role;

insert into public.rate_limits (action, scope, max_count, window_seconds)
values
  ('fail_secret', 'address', 20, 600),
  ('fail_secret', 'project', 1000, 600),
  ('create_user', 'address', 30, 3600),
  ('create_user', 'project', 3000, 3600),
  ('create_order', 'address', 60, 3600),
  ('create_order', 'phone', 20, 3600),
  ('create_order', 'project', 10000, 3600),
  ('verify_payment', 'address', 120, 60),
  ('verify_payment', 'user', 60, 60),
  ('verify_payment', 'project', 3000, 60);
