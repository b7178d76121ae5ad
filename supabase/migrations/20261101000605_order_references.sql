create table public.order_references (
  user_id uuid not null references public.users (id),
  reference_id text not null,
  order_id uuid not null references public.payment_orders (id),
  created_at timestamptz not null default clock_timestamp(),
  primary key (user_id, reference_id)
);

create index order_references_of_an_order on public.order_references (order_id);

comment on table public.order_references is
  'Which order a bot''s reference led to. An order that was still open may have served several.';

alter table public.order_references enable row level security;
revoke all on table public.order_references from public, anon, authenticated, service_role;
