create table public.operator_actions (
  id bigint generated always as identity primary key,
  order_id uuid not null references public.payment_orders (id),
  operator text not null,
  reason text not null,
  outcome text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint operator_is_named check (operator ~ '\S'),
  constraint reason_is_given check (reason ~ '\S')
);

create index operator_actions_on_an_order on public.operator_actions (order_id);

comment on table public.operator_actions is
  'Who settled an order by hand, when and why.';

alter table public.operator_actions enable row level security;
