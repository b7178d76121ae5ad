create table public.events (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references public.users (id),
  order_id uuid references public.payment_orders (id),
  type text not null,
  data jsonb not null,
  credits integer,
  remaining_credits integer,
  sequence_number integer,
  state text not null default 'new',
  created_at timestamptz not null default clock_timestamp(),
  handed_out_at timestamptz,
  constraint type_is_known check (
    type in (
      'credits.granted', 'credits.low', 'credits.exhausted', 'credits.taken_back', 'credits.restored',
      'payment.failed', 'hold.expired', 'user.frozen', 'user.unfrozen'
    )
  ),
  constraint data_is_an_object check (jsonb_typeof(data) = 'object'),
  -- A payment can fail before its customer is a user.
  constraint an_event_is_about_somebody check (num_nonnulls(user_id, order_id) > 0),
  constraint figures_are_those_of_the_user check (
    num_nonnulls(credits, remaining_credits, sequence_number)
      = case when user_id is null then 0 else 3 end
  ),
  constraint state_is_known check (state in ('new', 'handed_out', 'not_sent')),
  constraint an_event_says_when_it_was_handed_out
    check ((handed_out_at is null) = (state = 'new'))
);

create index events_of_a_user on public.events (user_id);
create index events_about_an_order on public.events (order_id) where order_id is not null;
create index events_by_time on public.events (created_at);
create index events_to_hand_out on public.events (created_at) where state = 'new';

comment on table public.events is
  'What the bot is told, written in the transaction that it tells of. Whoever it is about is joined when it is sent. A row names nobody, unless the bot''s reference of a reservation that expired does.';
comment on column public.events.user_id is
  'Null if a payment failed for somebody who is no user yet.';
comment on column public.events.order_id is
  'The order that it is about, whose reference is joined when the event is sent.';
comment on column public.events.data is
  'What only this type of event tells.';
comment on column public.events.credits is
  'The balance, right after what the event tells of.';
comment on column public.events.remaining_credits is
  'What could be spent then.';
comment on column public.events.sequence_number is
  'The user''s newest entry in the ledger then, so that a late event is seen to be old.';
comment on column public.events.state is
  'new: not given to any address yet. handed_out: event_deliveries has a row for each address of that moment. not_sent: too old when it would have been handed out.';

alter table public.events enable row level security;

create table public.event_addresses (
  id integer generated always as identity primary key,
  url text not null unique,
  created_at timestamptz not null default clock_timestamp(),
  named_at timestamptz not null default clock_timestamp(),
  removed_at timestamptz,
  paused_at timestamptz,
  failures integer not null default 0,
  failing_since timestamptz,
  next_probe_at timestamptz,
  not_before timestamptz,
  last_failure text,
  give_up_not_before timestamptz,
  constraint failures_are_never_negative check (failures >= 0),
  constraint a_failing_address_says_since_when check ((failing_since is null) = (failures = 0)),
  constraint a_failing_address_is_probed_again check ((next_probe_at is null) = (failures = 0))
);

comment on table public.event_addresses is
  'How the addresses of EVENTS_URL fare. The setting says which there are: deliver-events names them at every run.';
comment on column public.event_addresses.named_at is
  'When a run last named it, to within a few minutes.';
comment on column public.event_addresses.removed_at is
  'When runs had not named it for an hour, which ended its queue. Null while it is in use.';
comment on column public.event_addresses.paused_at is
  'When it answered 410 Gone. Its queue is kept; resend_events resumes it.';
comment on column public.event_addresses.failures is
  'Attempts that failed since the last one that succeeded. From the third on, it is probed with one delivery at a time.';
comment on column public.event_addresses.next_probe_at is
  'When it may be probed next.';
comment on column public.event_addresses.not_before is
  'Until when it asked to be left alone, with Retry-After.';
comment on column public.event_addresses.last_failure is
  'The status that it answered with, or why there was no answer.';
comment on column public.event_addresses.give_up_not_before is
  'Until when nothing is given up that waits for it: three days after resend_events has resumed it. In one row, because its queue may be long.';

alter table public.event_addresses enable row level security;

create table public.event_deliveries (
  event_id uuid not null references public.events (id) on delete cascade,
  address_id integer not null references public.event_addresses (id),
  state text not null default 'pending',
  attempts integer not null default 0,
  next_attempt_at timestamptz default clock_timestamp(),
  give_up_at timestamptz not null default clock_timestamp() + interval '3 days',
  lease_token uuid,
  last_attempt_at timestamptz,
  last_status integer,
  last_error text,
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  primary key (event_id, address_id),
  constraint state_is_known check (state in ('pending', 'delivered', 'dead', 'ended')),
  constraint attempts_are_never_negative check (attempts >= 0),
  constraint only_a_pending_delivery_is_attempted_again
    check ((next_attempt_at is null) = (state <> 'pending')),
  constraint only_a_pending_delivery_is_leased check (lease_token is null or state = 'pending'),
  constraint a_finished_delivery_says_when check ((finished_at is null) = (state = 'pending'))
)
-- Every delivery is written at least twice, when it is claimed and when it is finished.
with (fillfactor = 50);

create index event_deliveries_due on public.event_deliveries (address_id, next_attempt_at)
  where state = 'pending';
-- By address, because whole queues are kept longer.
create index event_deliveries_to_give_up on public.event_deliveries (address_id, give_up_at)
  where state = 'pending';
create index event_deliveries_under_way on public.event_deliveries (address_id)
  where lease_token is not null;
create index event_deliveries_dead on public.event_deliveries (address_id) where state = 'dead';

comment on table public.event_deliveries is
  'An event on its way to an address.';
comment on column public.event_deliveries.state is
  'pending: to be sent. delivered: answered with 2xx. dead: given up after three days. ended: its address is no longer in use.';
comment on column public.event_deliveries.next_attempt_at is
  'When it is to be sent next; while it is being sent, when its lease ends.';
comment on column public.event_deliveries.give_up_at is
  'When it is sent for the last time, unless its address has a later give_up_not_before.';
comment on column public.event_deliveries.lease_token is
  'Whoever is sending it holds this token, and nobody else may say what became of it.';

alter table public.event_deliveries enable row level security;
