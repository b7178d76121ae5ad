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
  remaining_after_grant integer,
  changed_at timestamptz,
  constraint status_is_razorpays
    check (status in ('created', 'authorized', 'failed', 'captured', 'refunded')),
  constraint amount_is_positive check (amount_paise > 0),
  constraint a_grant_is_never_negative check (credits_granted >= 0),
  constraint a_grant_says_when_and_what_was_left
    check (num_nulls(balance_after_grant, granted_at) = case when credits_granted > 0 then 0 else 2 end),
  constraint flag_is_known check (flag in ('amount_mismatch', 'second_payment', 'user_erased')),
  -- For the foreign key below.
  constraint a_payment_has_one_order unique (id, order_id)
);

create index payments_of_an_order on public.payments (order_id);
-- A payment that granted credits and was then refunded in full is flagged before another payment pays
-- the order.
create unique index one_grant_per_order on public.payments (order_id)
  where credits_granted > 0 and flag is null;
create index payments_with_a_flag on public.payments (created_at) where flag is not null;
-- Sales by day.
create index payments_by_grant on public.payments (granted_at) where granted_at is not null;
create index payments_by_change on public.payments (changed_at) where changed_at is not null;

alter table public.payment_orders add constraint a_paid_order_names_a_payment_of_its_own
  foreign key (razorpay_payment_id, id) references public.payments (id, order_id);

comment on table public.payments is
  'What Razorpay reports about each payment on our orders. An order may see many payments and is paid by one.';
comment on column public.payments.id is 'Razorpay''s payment id.';
comment on column public.payments.balance_after_grant is
  'The balance right after its credits were granted and what had already gone back was revoked.';
comment on column public.payments.remaining_after_grant is
  'What could be spent then: the balance less what was reserved. Null for grants from before holds, after which it was the balance.';
comment on column public.payments.flag is
  'Marks a captured payment that buys nothing: amount_mismatch, second_payment on an order that another payment pays, or user_erased on an order of somebody who was erased before it was paid. An operator refunds what is left of it.';
comment on column public.payments.changed_at is
  'When the row was last written, by whomever; null if that was before the column existed.';

alter table public.payments enable row level security;

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
  changed_at timestamptz,
  credits_forgiven integer not null default 0,
  constraint kind_is_refund_or_dispute check (kind in ('refund', 'dispute')),
  constraint status_is_razorpays check (
    status in ('pending', 'processed', 'failed') and kind = 'refund'
    or status in ('open', 'under_review', 'action_required', 'won', 'lost', 'closed')
      and kind = 'dispute'
  ),
  constraint amount_is_never_negative check (amount_paise >= 0),
  -- A closed dispute says nothing about the money.
  constraint the_status_says_where_the_money_is check (
    case
      when kind = 'refund' then is_money_gone = (status = 'processed')
      when status = 'lost' then is_money_gone
      when status <> 'closed' then not is_money_gone
      else true
    end
  ),
  constraint nobody_owes_more_than_was_taken check (
    credits_owed >= 0 and credits_forgiven >= 0
    and credits_owed + credits_forgiven <= credits_taken
  )
);

create index payment_reversals_of_a_payment on public.payment_reversals (payment_id);
create index payment_reversals_with_a_debt on public.payment_reversals (payment_id)
  where credits_owed > 0;
-- What went back by day.
create index payment_reversals_of_money on public.payment_reversals (reported_at) where is_money_gone;
create index payment_reversals_by_change on public.payment_reversals (changed_at)
  where changed_at is not null;

comment on table public.payment_reversals is
  'Refunds and disputes: money that was returned, and the credits that were revoked for it.';
comment on column public.payment_reversals.id is 'Razorpay''s refund or dispute id.';
comment on column public.payment_reversals.is_money_gone is
  'Whether the amount has left our account: a processed refund, a lost dispute.';
comment on column public.payment_reversals.credits_taken is
  'Credits that this reversal revokes; the ledger holds credits_taken minus credits_owed minus credits_forgiven of them.';
comment on column public.payment_reversals.credits_owed is
  'The part of credits_taken that the user had already spent and has not paid off yet.';
comment on column public.payment_reversals.credits_forgiven is
  'The part of credits_taken that the user owed and that an operator forgave.';
comment on column public.payment_reversals.reported_at is
  'When Razorpay made the newest report; an older one that arrives late changes nothing.';
comment on column public.payment_reversals.changed_at is
  'When the row was last written, by whomever; null if that was before the column existed.';

alter table public.payment_reversals enable row level security;
