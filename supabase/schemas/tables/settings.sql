create table public.settings (
  name text primary key,
  value integer not null,
  constraint name_is_known check (
    name in (
      'low_balance_credits', 'max_open_holds', 'welcome_after_erasure', 'webhook_retention_days',
      'hold_retention_days', 'event_retention_days', 'unpaid_order_retention_days'
    )
  ),
  constraint value_is_never_negative check (value >= 0),
  -- A call about a user ends all of them that have expired.
  constraint a_user_opens_at_most_a_thousand_holds check (name <> 'max_open_holds' or value <= 1000)
);

comment on table public.settings is
  'Figures that operators may change. Every setting has its row.';
comment on column public.settings.value is
  'low_balance_credits: the balance at which a user is running out. max_open_holds: how many holds of one user may be open at the same time. welcome_after_erasure: whether somebody who was erased and comes back gets the free credits again, 0 for no. webhook_retention_days, hold_retention_days, event_retention_days, unpaid_order_retention_days: after how many days deliveries of Razorpay''s webhook, holds that ended without a charge, events, and orders that somebody tried to pay in vain are deleted.';

alter table public.settings enable row level security;
