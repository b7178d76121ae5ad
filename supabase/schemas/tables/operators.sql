create table public.operators (
  user_id uuid primary key,
  email text not null,
  name text not null,
  role text not null,
  disabled_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  constraint name_is_given check (name ~ '\S' and length(name) <= 200),
  constraint role_is_known check (role in ('support', 'owner'))
);

comment on table public.operators is
  'Who may call the operators'' functions with a session. Asked at every call, so that what changes here is in force at once. Rows stay, because what somebody did stays.';
comment on column public.operators.user_id is
  'The user of Supabase Auth. No foreign key: a database without Auth has no such table.';
comment on column public.operators.email is
  'The address when the operator was added, to tell people apart. Nobody is recognized by it.';
comment on column public.operators.disabled_at is
  'Since when the operator may do nothing. Null if they may.';

alter table public.operators enable row level security;

create table public.operator_actions (
  id bigint generated always as identity primary key,
  order_id uuid references public.payment_orders (id),
  operator text not null,
  reason text not null,
  outcome text not null,
  created_at timestamptz not null default clock_timestamp(),
  action text not null default 'settle-order',
  user_id uuid references public.users (id),
  payment_id text references public.payments (id),
  reference_id text,
  request jsonb,
  before jsonb,
  after jsonb,
  result jsonb,
  completes bigint references public.operator_actions (id),
  operator_id uuid references public.operators (user_id),
  constraint operator_is_named check (operator ~ '\S'),
  constraint reason_is_given check (reason ~ '\S'),
  constraint action_is_named_after_its_function check (action ~ '^[a-z]+(-[a-z]+)*$'),
  constraint a_reference_is_kept_with_its_request check ((reference_id is null) = (request is null))
);

create index operator_actions_on_an_order on public.operator_actions (order_id);
create index operator_actions_on_a_user on public.operator_actions (user_id)
  where user_id is not null;
create index operator_actions_on_a_payment on public.operator_actions (payment_id)
  where payment_id is not null;
-- A page of what one of them did, newest first.
create index operator_actions_by_operator on public.operator_actions (operator, id);
create unique index one_action_per_reference on public.operator_actions (reference_id)
  where reference_id is not null;
create unique index one_completion_per_action on public.operator_actions (completes)
  where completes is not null;
create index operator_actions_of_an_operator on public.operator_actions (operator_id)
  where operator_id is not null;
create index operator_actions_that_asked on public.operator_actions (created_at)
  where outcome = 'asked';

comment on table public.operator_actions is
  'What operators did: who, what, to whom and why, with the state before and after. Written in the same transaction as the action itself.';
comment on column public.operator_actions.action is
  'The Edge Function that was called.';
comment on column public.operator_actions.user_id is
  'Whose account it is about, as it was then: the account may have been merged since.';
comment on column public.operator_actions.reference_id is
  'Makes the call safe to repeat: the same request again gets the same result, another one is refused. Null for settle-order, which is safe anyway, and in a row that completes another.';
comment on column public.operator_actions.request is
  'What was asked for, without operator and reason. A repeated call is compared with it.';
comment on column public.operator_actions.result is
  'What the call returned, which a repeated call returns again.';
comment on column public.operator_actions.completes is
  'The row that says what was asked of Razorpay, if this one says what came of it.';
comment on column public.operator_actions.operator_id is
  'Who was signed in, and operator is then the name in that row. Null for a call with the secret key, where operator is what the call said.';

alter table public.operator_actions enable row level security;
