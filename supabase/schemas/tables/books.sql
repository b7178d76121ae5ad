create table public.book_checks (
  id bigint generated always as identity primary key,
  is_whole boolean not null,
  -- A partial run checks what was written in this period.
  since timestamptz,
  before timestamptz,
  complete_until timestamptz not null,
  violation_count integer not null,
  checked_at timestamptz not null default clock_timestamp(),
  constraint a_part_has_limits check (num_nulls(since, before) = case when is_whole then 2 else 0 end)
);

create index book_checks_of_the_whole on public.book_checks (id) where is_whole;
create index book_checks_that_found_nothing on public.book_checks (checked_at)
  where violation_count = 0;

comment on table public.book_checks is
  'The runs of the check of the books. Those that found something are kept.';
comment on column public.book_checks.complete_until is
  'Where the next part starts: what was written before this has been checked.';
comment on column public.book_checks.violation_count is
  'How many violations the run found, also those that were known already.';

alter table public.book_checks enable row level security;

create table public.book_violations (
  id bigint generated always as identity primary key,
  invariant text not null,
  subject text not null,
  detail text not null,
  user_id uuid,
  order_id uuid,
  found_at timestamptz not null default clock_timestamp(),
  checked_at timestamptz not null default clock_timestamp(),
  gone_at timestamptz,
  constraint the_check_is_of_a_user_an_order_or_prices check (num_nonnulls(user_id, order_id) <= 1)
);

create unique index one_open_violation on public.book_violations (invariant, subject)
  where gone_at is null;
create index book_violations_to_check_again on public.book_violations (checked_at)
  where gone_at is null;
create index book_violations_of_a_user on public.book_violations (user_id)
  where user_id is not null;
create index book_violations_of_an_order on public.book_violations (order_id)
  where order_id is not null;

comment on table public.book_violations is
  'What the check of the books has found: kept permanently, and open until it is found no more.';
comment on column public.book_violations.user_id is
  'Whose check finds it, or order_id. Both are null if every run finds it. No foreign keys: what is broken may be gone.';
comment on column public.book_violations.checked_at is
  'When it was last looked for.';
comment on column public.book_violations.gone_at is
  'When it was looked for and no longer found.';

alter table public.book_violations enable row level security;
