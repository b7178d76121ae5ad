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

create trigger operator_actions_are_append_only
  before update or delete on public.operator_actions
  for each row execute function private.refuse_change();

create trigger operator_actions_are_not_truncated
  before truncate on public.operator_actions
  for each statement execute function private.refuse_change();

alter table public.operator_actions enable row level security;
revoke all on table public.operator_actions from public, anon, authenticated, service_role;
revoke all on sequence public.operator_actions_id_seq
  from public, anon, authenticated, service_role;
