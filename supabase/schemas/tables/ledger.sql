create table public.credit_transactions (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null references public.users (id),
  sequence_number integer not null,
  action text not null,
  credits integer not null,
  source text not null,
  reference_id text,
  balance_after integer not null,
  -- Not now(), which is when the transaction started: entries are in the order of the row lock.
  created_at timestamptz not null default clock_timestamp(),
  quantity integer,
  price_id integer,
  remaining_after integer,
  primary key (user_id, sequence_number),
  constraint sequence_numbers_start_at_one check (sequence_number >= 1),
  constraint action_is_credit_or_debit check (action in ('credit', 'debit')),
  constraint an_entry_moves_at_least_one_credit check (credits >= 1),
  constraint balance_after_is_never_negative check (balance_after >= 0),
  -- A welcome or a payment adds credits; anything that a bot charges for takes them.
  constraint the_source_says_the_action check (
    case
      when source in ('system', 'payment') then action = 'credit'
      when source in ('refund', 'dispute', 'merge', 'adjustment') then true
      else action = 'debit'
    end
  )
);

-- A bot's reference pays once, whatever action it names. The key holds a hash of the reference, because
-- references are long and this index grows with every charge.
create unique index one_charge_per_reference
  on public.credit_transactions (user_id, hashtextextended(reference_id, 0))
  where reference_id is not null
    and source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment');

-- A reversal may have several entries, because a refund can fail and a dispute can be won later, and
-- because credits can be taken in parts; payment_reversals keeps count of those. So may an adjustment,
-- for the last of these reasons; adjustments keeps count of its parts.
create unique index one_entry_per_grant_or_merge
  on public.credit_transactions (user_id, source, reference_id)
  where source in ('system', 'payment', 'merge');

-- These find what a payment, a reversal or an adjustment led to, also after a merge.
create index entries_of_payments
  on public.credit_transactions (reference_id)
  where source = 'payment';

create index entries_of_reversals
  on public.credit_transactions (reference_id)
  where source in ('refund', 'dispute');

create index entries_of_adjustments
  on public.credit_transactions (reference_id)
  where source = 'adjustment';

create index entries_of_merges on public.credit_transactions (user_id) where source = 'merge';

-- Finds what is new. The ledger is written in the order of time, so that a few bytes for each stretch of
-- pages are enough, and the newest pages, which autovacuum has not summed up yet, are read in any case.
create index entries_by_time
  on public.credit_transactions
  using brin (created_at) with (pages_per_range = 32, autosummarize = on);

comment on table public.credit_transactions is
  'The ledger: every movement of every balance, numbered per user without gaps. Only an erasure changes it, and only references.';
comment on column public.credit_transactions.reference_id is
  'What caused the entry: a WhatsApp message or job id, a Razorpay payment, refund or dispute id, the other account of a merge, an operator''s reference, "welcome".';
comment on column public.credit_transactions.balance_after is
  'The user''s balance right after this entry.';

comment on column public.credit_transactions.source is
  'What a bot charged for (an action of action_prices), or system, payment, refund, dispute, merge or adjustment.';
comment on column public.credit_transactions.quantity is
  'In the unit of the action; null where the bot named the credits, and for everything that is not charged for.';
comment on column public.credit_transactions.price_id is
  'The row of action_prices that applied to a charge. No foreign key: every charge would lock the same few rows. Null in entries from before there were prices.';
comment on column public.credit_transactions.remaining_after is
  'What could be spent after the entry: the balance less what was reserved and owed. Null in entries from before holds, after which it was the balance.';

alter table public.credit_transactions enable row level security;
