create table public.payments (
  id text primary key,
  order_id uuid not null references public.payment_orders (id),
  status text not null,
  amount_paise integer not null,
  currency text not null,
  credits_granted integer not null default 0,
  balance_after_grant integer,
  flag text,
  created_at timestamptz not null default clock_timestamp(),
  granted_at timestamptz,
  constraint status_is_razorpays
    check (status in ('created', 'authorized', 'failed', 'captured', 'refunded')),
  constraint amount_is_positive check (amount_paise > 0),
  constraint a_grant_is_never_negative check (credits_granted >= 0),
  constraint a_grant_says_when_and_what_was_left
    check (num_nulls(balance_after_grant, granted_at) = case when credits_granted > 0 then 0 else 2 end),
  constraint flag_is_known check (flag in ('amount_mismatch', 'second_payment'))
);

create index payments_of_an_order on public.payments (order_id);
-- A payment that was granted and then lost all of its money to refunds is flagged before another one
-- pays its order.
create unique index one_grant_per_order on public.payments (order_id)
  where credits_granted > 0 and flag is null;

comment on table public.payments is
  'What Razorpay said of each payment on an order of ours. An order may see many, and is paid by one.';
comment on column public.payments.id is 'Razorpay''s payment id.';
comment on column public.payments.balance_after_grant is
  'The balance that everybody who reports this payment is told: the one right after its credits came.';
comment on column public.payments.flag is
  'A captured payment that buys nothing: amount_mismatch, or second_payment on an order that another one pays. An operator refunds what is left of it.';

alter table public.payments enable row level security;
revoke all on table public.payments from public, anon, authenticated, service_role;
