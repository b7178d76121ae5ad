create table public.payment_reversals (
  id text primary key,
  payment_id text not null references public.payments (id),
  kind text not null,
  status text not null,
  amount_paise integer not null,
  is_money_gone boolean not null,
  credits_taken integer not null default 0,
  credits_owed integer not null default 0,
  reported_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint kind_is_refund_or_dispute check (kind in ('refund', 'dispute')),
  constraint status_is_razorpays check (
    status in ('pending', 'processed', 'failed') and kind = 'refund'
    or status in ('open', 'under_review', 'action_required', 'won', 'lost', 'closed')
      and kind = 'dispute'
  ),
  constraint amount_is_never_negative check (amount_paise >= 0),
  constraint nobody_owes_more_than_was_taken check (credits_owed between 0 and credits_taken)
);

create index payment_reversals_of_a_payment on public.payment_reversals (payment_id);

comment on table public.payment_reversals is
  'Refunds and disputes: money that went back, and the credits that went back with it.';
comment on column public.payment_reversals.id is 'Razorpay''s refund or dispute id.';
comment on column public.payment_reversals.is_money_gone is
  'Whether the amount has left us: a processed refund, a lost dispute.';
comment on column public.payment_reversals.credits_taken is
  'Credits this reversal takes back; the ledger holds credits_taken minus credits_owed of them.';
comment on column public.payment_reversals.credits_owed is
  'The part of credits_taken that the user had already spent and has not yet paid.';
comment on column public.payment_reversals.reported_at is
  'Razorpay''s time of the newest report; an older one that arrives late changes nothing.';

alter table public.payment_reversals enable row level security;
revoke all on table public.payment_reversals from public, anon, authenticated, service_role;
