create type public.hold_state as enum ('open', 'captured', 'released', 'expired');

comment on type public.hold_state is
  'open: its credits are reserved, until it expires. captured: charged, with an entry in the ledger. released, expired: its credits were returned.';

create table public.holds (
  -- Users are never deleted, and a foreign key would lock the row that each reservation has just locked.
  user_id uuid not null,
  reference_id text not null,
  action_id text not null,
  quantity integer,
  price_id integer not null,
  credits integer not null,
  state public.hold_state not null default 'open',
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  remaining_after integer not null,
  ended_at timestamptz,
  captured_credits integer,
  remaining_after_end integer,
  balance_after_end integer,
  primary key (user_id, reference_id),
  -- Few and short, because PostgreSQL reads the text of every constraint again for each statement.
  constraint a_hold_charges_no_more_than_it_reserves
    check (credits >= 1 and coalesce(captured_credits, 0) between 0 and credits),
  constraint an_ended_hold_says_when_and_what check (
    (ended_at is null) = (state = 'open')
    and (coalesce(captured_credits, 0) > 0) = (state = 'captured')
  )
)
-- Every hold is written twice, when it opens and when it ends.
with (fillfactor = 50);

create index open_holds_of_a_user on public.holds (user_id, expires_at) where state = 'open';
create index holds_to_forget on public.holds (ended_at) where state in ('released', 'expired');
-- What the check of the books looks at. A hold ends within about an hour of its opening, so the rows are
-- nearly in the order of both.
create index holds_by_time on public.holds using brin (created_at, ended_at);

comment on table public.holds is
  'Credits that are reserved for a job under way, one row for each reference of a user. A reference whose hold was released or has expired may be reserved again.';
comment on column public.holds.quantity is
  'In the unit of the action; null where the bot named the credits.';
comment on column public.holds.price_id is
  'The row of action_prices that applied when the hold opened, which also prices its capture. No foreign key: every reservation would lock the same few rows.';
comment on column public.holds.remaining_after is
  'What could be spent after it opened, which every repeated call returns.';
comment on column public.holds.captured_credits is
  'What was charged. 0 if it was released by a capture of nothing; null if by bot-release, and while nothing is charged.';
comment on column public.holds.remaining_after_end is
  'What could be spent after it ended.';
comment on column public.holds.balance_after_end is
  'The balance after it ended. Both are null in what was captured whole, whose entry says so.';

alter table public.holds enable row level security;
