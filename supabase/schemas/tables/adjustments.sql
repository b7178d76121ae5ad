create table public.adjustments (
  reference_id text primary key,
  user_id uuid not null references public.users (id),
  credits integer not null,
  credits_owed integer not null default 0,
  credits_forgiven integer not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz,
  constraint an_adjustment_changes_something check (credits <> 0),
  constraint an_adjustment_is_at_most_a_million_credits check (credits between -1000000 and 1000000),
  -- What an adjustment adds is never owed.
  constraint nobody_owes_more_than_an_adjustment_took check (
    credits_owed >= 0 and credits_forgiven >= 0
    and credits_owed + credits_forgiven <= greatest(0, -credits)
  )
);

create index adjustments_of_a_user on public.adjustments (user_id);
create index adjustments_with_a_debt on public.adjustments (user_id) where credits_owed > 0;
create index adjustments_by_change on public.adjustments (changed_at);

comment on table public.adjustments is
  'Credits that an operator gave or took. The ledger holds them as entries of source adjustment with this reference: more than one, where a part was taken later because it had been spent.';
comment on column public.adjustments.user_id is
  'The account that owes what is owed: after a merge, the one that stayed.';
comment on column public.adjustments.credits is
  'The difference that was asked for. The ledger holds it plus credits_owed plus credits_forgiven.';
comment on column public.adjustments.credits_owed is
  'The part of a negative one that the user had already spent and has not paid off yet.';
comment on column public.adjustments.credits_forgiven is
  'The part of a negative one that was owed and that an operator forgave.';
comment on column public.adjustments.changed_at is
  'When the row was last written.';

alter table public.adjustments enable row level security;

-- What every user owes, and why.
create view private.debts as
select o.user_id, r.kind as source, r.id as reference_id, r.credits_owed, r.created_at
from public.payment_reversals r
join public.payments p on p.id = r.payment_id
join public.payment_orders o on o.id = p.order_id
where r.credits_owed > 0
union all
select a.user_id, 'adjustment', a.reference_id, a.credits_owed, a.created_at
from public.adjustments a
where a.credits_owed > 0;

comment on view private.debts is
  'One row for each refund, dispute or adjustment that took credits which were already spent.';
