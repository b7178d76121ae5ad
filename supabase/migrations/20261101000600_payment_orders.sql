create table public.payment_orders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.users (id),
  package_id text not null references public.packages (id),
  package_name text not null,
  credits integer not null,
  amount_paise integer not null,
  currency text not null default 'INR',
  key_mode text not null,
  state text not null default 'pending',
  razorpay_order_id text unique,
  razorpay_payment_id text unique,
  created_at timestamptz not null default clock_timestamp(),
  opened_at timestamptz,
  paid_at timestamptz,
  constraint an_order_grants_at_least_one_credit check (credits >= 1),
  constraint amount_is_at_least_one_rupee check (amount_paise >= 100),
  constraint currency_is_inr check (currency = 'INR'),
  constraint key_mode_is_test_or_live check (key_mode in ('test', 'live')),
  constraint state_is_known check (state in ('pending', 'open', 'paid')),
  constraint only_a_pending_order_has_no_razorpay_order
    check ((state = 'pending') = (razorpay_order_id is null)),
  constraint an_order_is_opened_when_razorpay_knows_it
    check ((opened_at is null) = (razorpay_order_id is null)),
  constraint a_paid_order_names_its_payment
    check ((state = 'paid') = (razorpay_payment_id is not null)),
  constraint a_paid_order_says_when check ((state = 'paid') = (paid_at is not null))
);

create index payment_orders_of_a_user on public.payment_orders (user_id, package_id, created_at);
create index payment_orders_of_a_package on public.payment_orders (package_id);

comment on table public.payment_orders is
  'One intent to buy. What it grants and costs is fixed when it is made, whatever the package becomes.';
comment on column public.payment_orders.state is
  'pending: not yet known to Razorpay. open: waiting for its payment. paid: its credits are granted.';
comment on column public.payment_orders.key_mode is
  'Which kind of Razorpay key made the order; a test payment never settles a live order.';

alter table public.payment_orders enable row level security;
revoke all on table public.payment_orders from public, anon, authenticated, service_role;
