create table public.operator_actions (
  id bigint generated always as identity primary key,
  order_id uuid references public.payment_orders (id),
  operator text not null,
  reason text not null,
  outcome text not null,
  created_at timestamptz not null default clock_timestamp(),
  action text not null default 'settle-order',
  user_id uuid references public.users (id),
  constraint operator_is_named check (operator ~ '\S'),
  constraint reason_is_given check (reason ~ '\S')
);

create index operator_actions_on_an_order on public.operator_actions (order_id);
create index operator_actions_on_a_user on public.operator_actions (user_id)
  where user_id is not null;

comment on table public.operator_actions is
  'Who settled an order by hand, when and why.';

alter table public.operator_actions enable row level security;
