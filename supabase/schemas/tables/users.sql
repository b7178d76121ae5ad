create table public.users (
  id uuid primary key default gen_random_uuid(),
  phone_number text unique,
  merged_into uuid references public.users (id),
  credits integer not null,
  transaction_count integer not null,
  debt_credits integer not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  held_credits integer not null default 0,
  open_holds integer not null default 0,
  next_hold_expiry_at timestamptz,
  has_merged boolean not null default false,
  frozen_at timestamptz,
  erased_at timestamptz,
  is_without_welcome boolean not null default false,
  constraint phone_number_is_e164 check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  constraint credits_are_never_negative check (credits >= 0),
  constraint transaction_count_is_never_negative check (transaction_count >= 0),
  constraint debt_is_never_negative check (debt_credits >= 0),
  constraint held_credits_are_part_of_the_balance check (held_credits between 0 and credits),
  constraint a_user_with_open_holds_says_how_many_and_until_when check (
    (held_credits > 0) = (open_holds > 0) and (open_holds > 0) = (next_hold_expiry_at is not null)
  ),
  constraint an_erased_user_has_no_number_and_nothing_reserved
    check (erased_at is null or (phone_number is null and open_holds = 0))
)
-- Every deduction rewrites the row with the balance. The free space keeps these updates on the page
-- and out of the indexes.
with (fillfactor = 70);

create index users_merged_into on public.users (merged_into) where merged_into is not null;

-- Finds who is new. A deduction does not change the column.
create index users_by_time on public.users (created_at);

comment on table public.users is
  'One person and a balance. Written only by the functions of this schema.';
comment on column public.users.phone_number is
  'The number to show. Null for a user known only by a WhatsApp user id; identities say who is who.';
comment on column public.users.merged_into is
  'The account that took over this one''s identities and credits when an operator merged them.';
comment on column public.users.credits is
  'The balance: the sum of the user''s credit_transactions, and balance_after of the newest one.';
comment on column public.users.transaction_count is
  'How many credit_transactions the user has, and the sequence_number of the newest one.';
comment on column public.users.debt_credits is
  'Credits that were spent before their payment was reversed. The next credits pay this off first.';
comment on column public.users.held_credits is
  'The sum of the user''s open holds, including those that have expired and that nothing has ended yet.';
comment on column public.users.next_hold_expiry_at is
  'No open hold expires before this moment. Null without open holds.';
comment on column public.users.has_merged is
  'Whether another account was merged into this one, so that its history counts too.';
comment on column public.users.frozen_at is
  'Since when an operator keeps the account from spending. Null if it may spend.';
comment on column public.users.erased_at is
  'When the person was erased: nothing says any more whose account this was, and nobody reaches it.';
comment on column public.users.is_without_welcome is
  'Whether somebody who had been erased before came back, and did not get the free credits again.';

alter table public.users enable row level security;

create table public.identities (
  kind text not null,
  value text not null,
  -- Checked at commit, so that the first call to claim an identity can create the user afterwards.
  user_id uuid not null references public.users (id) deferrable initially deferred,
  created_at timestamptz not null default clock_timestamp(),
  primary key (kind, value),
  constraint kind_is_phone_or_whatsapp_user_id check (kind in ('phone', 'whatsapp_user_id')),
  constraint value_is_of_its_kind check (
    value ~ case kind
      when 'phone' then '^\+[1-9][0-9]{6,14}$'
      else '^[A-Z]{2}\.[A-Za-z0-9.]{1,128}$'
    end
  )
);

create index identities_of_a_user on public.identities (user_id);
create index identities_by_time on public.identities
  using brin (created_at) with (pages_per_range = 32, autosummarize = on);

comment on table public.identities is
  'Who is who: each phone number (E.164) and each WhatsApp user id belongs to one user.';
comment on column public.identities.value is
  'WhatsApp may send a business-scoped user id (a country code, a dot, letters and digits) instead of a number.';

alter table public.identities enable row level security;

create table public.erased_identities (
  hash text primary key,
  constraint hash_is_a_keyed_sha256 check (hash ~ '^[0-9a-f]{64}$')
);

comment on table public.erased_identities is
  'Who has been erased, so that nobody gets the free credits twice by coming back. Refers to no user.';
comment on column public.erased_identities.hash is
  'HMAC-SHA256 of a phone number or WhatsApp user id, keyed with a secret that only the functions know. The database alone cannot tell whose it is, not even by trying all numbers.';

alter table public.erased_identities enable row level security;
