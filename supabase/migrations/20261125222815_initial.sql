-- The schema of the first version: the files of supabase/schemas as they were then, in their order.

-- The conventions of this schema, stated once.
--
-- Closed tables. No role of the Data API may write to a table, and a page reads only the rows that a
-- policy in policies.sql shows it. Everything else goes through functions, so the rules they enforce
-- cannot be bypassed.
--
-- Security definer. The functions in `public` run as their owner, because the tables are closed to the
-- roles that call them. Every function has an empty search_path and names each object in full, so that
-- a caller cannot substitute an object of their own. The functions in `private` are helpers and need no
-- rights of their own.
--
-- Timeouts. Every public function that locks or writes sets both. lock_timeout ends a call that waits
-- for another one's lock well before the caller gives up. statement_timeout bounds the whole call. By
-- itself PostgreSQL would not apply it to the statement that is already running; PostgREST reads it
-- from the function and sets it before the call:
-- https://docs.postgrest.org/en/v12/references/transactions.html#function-settings
--
-- Lock order. A call locks the user before the order and its payments, and two users in the order of
-- their ids, so that calls that meet wait for each other in turn and never in a circle.

-- Helpers and trigger functions live in a schema that the Data API does not expose.
create schema private;

comment on schema private is
  'Helpers of the functions in public. Never to be listed in the Data API''s schemas.';

-- Objects are closed when they are created, including those of later migrations, until they are
-- granted: on every project, whether or not it exposes new objects by default.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public
  revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public
  revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public
  revoke all on functions from anon, authenticated, service_role;

create table public.users (
  id uuid primary key default gen_random_uuid(),
  phone_number text unique,
  merged_into uuid references public.users (id),
  credits integer not null,
  transaction_count integer not null,
  debt_credits integer not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  constraint phone_number_is_e164 check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  constraint credits_are_never_negative check (credits >= 0),
  constraint transaction_count_is_never_negative check (transaction_count >= 0),
  constraint debt_is_never_negative check (debt_credits >= 0)
)
-- Every deduction rewrites the row with the balance. The free space keeps these updates on the page
-- and out of the indexes.
with (fillfactor = 70);

create index users_merged_into on public.users (merged_into) where merged_into is not null;

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

comment on table public.identities is
  'Who is who: each phone number (E.164) and each WhatsApp user id belongs to one user.';
comment on column public.identities.value is
  'WhatsApp may send a business-scoped user id (a country code, a dot, letters and digits) instead of a number.';

alter table public.identities enable row level security;

create table public.credit_transactions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.users (id),
  sequence_number integer not null,
  action text not null,
  credits integer not null,
  source text not null,
  reference_id text,
  balance_after integer not null,
  -- Not now(), which is when the transaction started: entries are in the order of the row lock.
  created_at timestamptz not null default clock_timestamp(),
  constraint one_entry_per_place_in_the_history unique (user_id, sequence_number),
  constraint sequence_numbers_start_at_one check (sequence_number >= 1),
  constraint action_is_credit_or_debit check (action in ('credit', 'debit')),
  constraint an_entry_moves_at_least_one_credit check (credits >= 1),
  constraint source_is_known
    check (
      source in ('system', 'payment', 'image_generation', 'refund', 'dispute', 'merge')
    ),
  constraint balance_after_is_never_negative check (balance_after >= 0)
);

-- One effect per reference: this makes a repeated call safe and counts a payment once. A reversal may
-- have several entries, because a refund can fail and a dispute can be won later, and because credits
-- can be taken in parts; payment_reversals keeps count of those.
create unique index one_entry_per_reference
  on public.credit_transactions (user_id, source, reference_id)
  where reference_id is not null and source not in ('refund', 'dispute');

create index entries_of_reversals
  on public.credit_transactions (reference_id)
  where source in ('refund', 'dispute');

comment on table public.credit_transactions is
  'The ledger: every movement of every balance, numbered per user without gaps, never changed.';
comment on column public.credit_transactions.reference_id is
  'What caused the entry: a WhatsApp message or job id, a Razorpay payment, refund or dispute id, "welcome".';
comment on column public.credit_transactions.balance_after is
  'The user''s balance right after this entry.';

alter table public.credit_transactions enable row level security;

create table public.packages (
  id text primary key,
  name text not null,
  price numeric(10, 2) not null,
  credits integer not null,
  is_active boolean not null default true,
  constraint id_is_a_short_word check (id ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
  constraint name_is_not_blank check (name ~ '\S'),
  constraint price_is_at_least_one_rupee check (price >= 1),
  -- The amount in paise must fit an integer. PostgreSQL sorts NaN above every number, so this excludes
  -- it as well.
  constraint price_has_an_end check (price < 20000000),
  constraint a_package_holds_at_least_one_credit check (credits >= 1)
);

comment on table public.packages is
  'What is for sale. A package is retired with is_active = false and never deleted, because orders refer to it.';
comment on column public.packages.price is
  'In rupees, taxes included. Razorpay''s minimum amount is one rupee.';

alter table public.packages enable row level security;

create table public.payment_orders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.users (id),
  package_id text not null references public.packages (id),
  package_name text not null,
  credits integer not null,
  amount_paise integer not null,
  currency text not null default 'INR',
  key_mode text not null,
  channel text not null,
  state text not null default 'pending',
  razorpay_order_id text unique,
  razorpay_payment_id text unique,
  razorpay_payment_link_id text unique,
  short_url text,
  expires_at timestamptz,
  next_check_at timestamptz default clock_timestamp() + interval '5 minutes',
  created_at timestamptz not null default clock_timestamp(),
  opened_at timestamptz,
  paid_at timestamptz,
  constraint an_order_grants_at_least_one_credit check (credits >= 1),
  constraint amount_is_at_least_one_rupee check (amount_paise >= 100),
  constraint currency_is_inr check (currency = 'INR'),
  constraint key_mode_is_test_or_live check (key_mode in ('test', 'live')),
  constraint channel_is_checkout_or_link check (channel in ('checkout', 'link')),
  constraint state_is_known check (state in ('pending', 'open', 'paid')),
  constraint only_a_pending_order_has_no_razorpay_order
    check ((state = 'pending') = (razorpay_order_id is null)),
  constraint an_order_is_opened_when_razorpay_knows_it
    check ((opened_at is null) = (razorpay_order_id is null)),
  constraint a_paid_order_names_its_payment
    check ((state = 'paid') = (razorpay_payment_id is not null)),
  constraint a_paid_order_says_when check ((state = 'paid') = (paid_at is not null)),
  constraint only_a_link_has_a_short_url
    check (channel = 'link' or (razorpay_payment_link_id is null and short_url is null)),
  constraint a_link_is_stored_whole
    check (num_nulls(razorpay_payment_link_id, short_url, expires_at) in (0, 3))
);

create index payment_orders_of_a_user on public.payment_orders (user_id, package_id, created_at);
create index payment_orders_of_a_package on public.payment_orders (package_id);
create index payment_orders_to_check on public.payment_orders (next_check_at)
  where next_check_at is not null;

comment on table public.payment_orders is
  'One intent to buy. What it costs and grants is fixed when it is placed, even if the package changes later.';
comment on column public.payment_orders.state is
  'pending: its Razorpay order is not known yet (a payment link gets one when the customer starts to pay). open: waiting for payment. paid: its credits were granted.';
comment on column public.payment_orders.key_mode is
  'Which kind of Razorpay key created the order; a test payment never settles a live order.';
comment on column public.payment_orders.channel is
  'checkout: paid on a page. link: paid through a payment link in the chat.';
comment on column public.payment_orders.next_check_at is
  'When the reconciler next asks Razorpay about the order; null when there is nothing left to learn.';

alter table public.payment_orders enable row level security;

create table public.order_references (
  user_id uuid not null references public.users (id),
  reference_id text not null,
  order_id uuid not null references public.payment_orders (id),
  created_at timestamptz not null default clock_timestamp(),
  primary key (user_id, reference_id)
);

create index order_references_of_an_order on public.order_references (order_id);

comment on table public.order_references is
  'Which order a bot''s reference led to. Several references may have led to one order while it was open.';

alter table public.order_references enable row level security;

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
-- A payment that granted credits and was then refunded in full is flagged before another payment pays
-- the order.
create unique index one_grant_per_order on public.payments (order_id)
  where credits_granted > 0 and flag is null;

comment on table public.payments is
  'What Razorpay reports about each payment on our orders. An order may see many payments and is paid by one.';
comment on column public.payments.id is 'Razorpay''s payment id.';
comment on column public.payments.balance_after_grant is
  'The balance right after its credits were granted, which every report of this payment returns.';
comment on column public.payments.flag is
  'Marks a captured payment that buys nothing: amount_mismatch, or second_payment on an order that another payment pays. An operator refunds what is left of it.';

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
  'Refunds and disputes: money that was returned, and the credits that were revoked for it.';
comment on column public.payment_reversals.id is 'Razorpay''s refund or dispute id.';
comment on column public.payment_reversals.is_money_gone is
  'Whether the amount has left our account: a processed refund, a lost dispute.';
comment on column public.payment_reversals.credits_taken is
  'Credits that this reversal revokes; the ledger holds credits_taken minus credits_owed of them.';
comment on column public.payment_reversals.credits_owed is
  'The part of credits_taken that the user had already spent and has not paid off yet.';
comment on column public.payment_reversals.reported_at is
  'When Razorpay made the newest report; an older one that arrives late changes nothing.';

alter table public.payment_reversals enable row level security;

create table public.webhook_deliveries (
  id bigint generated always as identity primary key,
  event_id text,
  event text not null,
  payload json not null,
  razorpay_order_id text,
  razorpay_payment_id text,
  outcome text,
  received_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  constraint a_finished_delivery_has_an_outcome check ((outcome is null) = (finished_at is null))
);

create index webhook_deliveries_of_an_event on public.webhook_deliveries (event_id);
create index webhook_deliveries_about_an_order on public.webhook_deliveries (razorpay_order_id);
create index webhook_deliveries_about_a_payment
  on public.webhook_deliveries (razorpay_payment_id);
create index webhook_deliveries_unfinished on public.webhook_deliveries (received_at)
  where outcome is null;

comment on table public.webhook_deliveries is
  'Every correctly signed delivery from Razorpay, including repeated ones.';
comment on column public.webhook_deliveries.event_id is
  'Razorpay''s event id, from a header that is not signed: good for finding deliveries, not for telling repeated ones apart.';
comment on column public.webhook_deliveries.outcome is
  'The result; null while the delivery is being handled, and permanently if handling was cut off, after which Razorpay sends it again.';

alter table public.webhook_deliveries enable row level security;

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

alter table public.operator_actions enable row level security;

create table public.rate_limits (
  action text not null,
  scope text not null,
  max_count integer not null,
  window_seconds integer not null,
  primary key (action, scope),
  constraint action_is_known
    check (action in ('wrong_secret', 'create_user', 'create_order', 'verify_payment')),
  constraint scope_is_known check (scope in ('address', 'phone', 'user', 'project')),
  constraint max_count_is_never_negative check (max_count >= 0),
  constraint window_is_positive check (window_seconds between 1 and 86400)
);

comment on table public.rate_limits is
  'How often something may happen. Operators may change the rows; a scope without a row is not limited.';
comment on column public.rate_limits.scope is
  'address: the caller''s network address, which can be forged, so it is never the only scope. phone, user: whom the call is about. project: all callers together.';

alter table public.rate_limits enable row level security;

-- Unlogged: losing the counts in a crash is cheaper than writing each of them twice.
create unlogged table public.rate_counters (
  action text not null,
  scope text not null,
  subject text not null,
  window_ends_at timestamptz not null,
  count integer not null,
  primary key (action, scope, subject)
);

create index rate_counters_to_forget on public.rate_counters (window_ends_at);

comment on table public.rate_counters is
  'What was counted against rate_limits, in fixed windows. delete_expired_rate_counters removes old ones.';

alter table public.rate_counters enable row level security;

-- Brings the credits that a payment's reversals have taken in line with the money that was returned.
create function private.apply_reversals(user_id uuid, payment_id text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_reversal record;
begin
  for v_reversal in
    with dues as (
      select
        r.id,
        r.credits_taken,
        row_number() over so_far as place,
        -- Proportional, with the running total rounded down: partial refunds that add up to the
        -- whole payment take exactly its credits, and no number of reversals takes more.
        p.credits_granted
          * least(
              p.amount_paise,
              sum(case when r.is_money_gone then r.amount_paise else 0 end) over so_far
            )
          / p.amount_paise as due_so_far
      from public.payments p
      join public.payment_reversals r on r.payment_id = p.id
      where p.id = apply_reversals.payment_id
      window so_far as (order by r.created_at, r.id)
    ),
    differences as (
      select
        d.id,
        d.due_so_far - lag(d.due_so_far, 1, 0::bigint) over (order by d.place) - d.credits_taken
          as credits
      from dues d
    )
    select d.id, d.credits::integer from differences d where d.credits <> 0
    -- Credits for the user come first, so that as little as possible becomes a debt.
    order by d.credits
  loop
    if v_reversal.credits < 0 then
      perform private.restore_credits(apply_reversals.user_id, v_reversal.id, -v_reversal.credits);
    else
      perform private.revoke_credits(apply_reversals.user_id, v_reversal.id, v_reversal.credits);
    end if;
  end loop;
end;
$$;

comment on function private.apply_reversals is
  'Idempotent: each reversal takes or returns only the difference between its share and what it has taken.';

-- Pays off what a user owes, oldest debt first, as far as the balance goes.
create function private.collect_debts(user_id uuid)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_balance integer;
  v_debt integer;
  v_reversal record;
  v_paid integer;
begin
  select u.credits, u.debt_credits into strict v_balance, v_debt
  from public.users u
  where u.id = collect_debts.user_id
  for no key update;

  if v_debt = 0 then
    return v_balance;
  end if;

  for v_reversal in
    select r.id, r.kind, r.credits_owed
    from public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    join public.payment_orders o on o.id = p.order_id
    where o.user_id = collect_debts.user_id and r.credits_owed > 0
    order by r.created_at, r.id
  loop
    v_paid := least(v_balance, v_reversal.credits_owed);
    exit when v_paid = 0;
    v_balance := private.post_entry(
      collect_debts.user_id, 'debit', v_paid, v_reversal.kind, v_reversal.id
    );
    update public.payment_reversals r set credits_owed = r.credits_owed - v_paid
    where r.id = v_reversal.id;
    update public.users u set debt_credits = u.debt_credits - v_paid
    where u.id = collect_debts.user_id;
  end loop;

  return v_balance;
end;
$$;

comment on function private.collect_debts is
  'Returns the remaining balance. To be called after every entry that adds credits.';

-- Counts an action against its limits and returns how long to wait if it exceeds one.
create function private.count_against_limits(
  action text,
  address text default null,
  phone text default null,
  user_id uuid default null
)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_limit record;
  v_counter public.rate_counters;
begin
  for v_limit in
    select l.scope, l.max_count, make_interval(secs => l.window_seconds) as period, s.subject
    from public.rate_limits l
    join (
      values
        ('address', count_against_limits.address),
        ('phone', count_against_limits.phone),
        ('user', count_against_limits.user_id::text),
        ('project', 'all')
    ) s (scope, subject) on s.scope = l.scope
    where l.action = count_against_limits.action and s.subject is not null
    -- Counters are always locked in one order, so that no two calls wait for each other. The shared
    -- one comes last: a caller over their own limit must not consume it for everyone else.
    order by l.scope = 'project', l.scope
  loop
    insert into public.rate_counters as c (action, scope, subject, window_ends_at, count)
    values (count_against_limits.action, v_limit.scope, v_limit.subject,
      clock_timestamp() + v_limit.period, 1)
    on conflict on constraint rate_counters_pkey do update
    set count = case when c.window_ends_at <= clock_timestamp() then 1 else c.count + 1 end,
        window_ends_at = case
          when c.window_ends_at <= clock_timestamp() then excluded.window_ends_at
          else c.window_ends_at
        end
    returning * into v_counter;

    if v_counter.count > v_limit.max_count then
      return greatest(ceil(extract(epoch from v_counter.window_ends_at - clock_timestamp())), 1);
    end if;
  end loop;

  return 0;
end;
$$;

comment on function private.count_against_limits is
  '0 if the action is allowed, otherwise the seconds until it is.';

-- Finds the user of a phone number or a WhatsApp user id, or creates one with the free credits of a new
-- user.
create function private.ensure_user(phone_number text, whatsapp_user_id text default null)
returns public.users
language plpgsql
set search_path = ''
as $$
declare
  v_free_credits constant integer := 3;
  v_user_id uuid;
  v_user public.users;
begin
  if num_nonnulls(ensure_user.phone_number, ensure_user.whatsapp_user_id) = 0 then
    raise exception 'a user is named by a phone number or a WhatsApp user id'
      using errcode = 'invalid_parameter_value';
  end if;

  v_user_id := private.find_user_id(ensure_user.phone_number, ensure_user.whatsapp_user_id);
  if v_user_id is null then
    -- First contacts that arrive together meet at this key: one of them claims the identity, and the
    -- others wait for its commit and then read whose it is.
    insert into public.identities as i (kind, value, user_id)
    values (
      case when ensure_user.phone_number is null then 'whatsapp_user_id' else 'phone' end,
      coalesce(ensure_user.phone_number, ensure_user.whatsapp_user_id),
      gen_random_uuid()
    )
    on conflict on constraint identities_pkey do nothing
    returning i.user_id into v_user_id;

    if found then
      insert into public.users (id, phone_number, credits, transaction_count)
      values (v_user_id, ensure_user.phone_number, v_free_credits, 1);
      insert into public.credit_transactions
        (user_id, sequence_number, action, credits, source, reference_id, balance_after)
      values (v_user_id, 1, 'credit', v_free_credits, 'system', 'welcome', v_free_credits);
    else
      v_user_id := private.find_user_id(ensure_user.phone_number, ensure_user.whatsapp_user_id);
    end if;
  end if;

  -- A bot that names both tells us that they belong to one person. If both already have an account,
  -- merging them is up to an operator.
  if num_nonnulls(ensure_user.phone_number, ensure_user.whatsapp_user_id) = 2
    and (
      private.find_user_id(ensure_user.phone_number, null) is null
      or private.find_user_id(null, ensure_user.whatsapp_user_id) is null
    )
  then
    with claimed as (
      insert into public.identities as i (kind, value, user_id)
      values
        ('phone', ensure_user.phone_number, v_user_id),
        ('whatsapp_user_id', ensure_user.whatsapp_user_id, v_user_id)
      on conflict on constraint identities_pkey do nothing
      returning i.kind
    )
    update public.users u set phone_number = ensure_user.phone_number
    where u.id = v_user_id
      and u.phone_number is null
      -- Another call may have claimed the number for a different user meanwhile.
      and exists (select from claimed c where c.kind = 'phone');
  end if;

  select u.* into strict v_user from public.users u where u.id = v_user_id;
  return v_user;
end;
$$;

comment on function private.ensure_user is
  'The user of a phone number (E.164), a WhatsApp user id, or both. A new user gets 3 free credits and one system entry; an existing one is only read.';

-- Finds the user of a phone number or a WhatsApp user id.
create function private.find_user_id(phone_number text, whatsapp_user_id text)
returns uuid
language sql
stable
set search_path = ''
as $$
  -- The number takes precedence: it is the older identity, and the one that a page can prove.
  select coalesce(
    (select i.user_id from public.identities i where i.kind = 'phone' and i.value = $1),
    (select i.user_id from public.identities i where i.kind = 'whatsapp_user_id' and i.value = $2)
  );
$$;

comment on function private.find_user_id is
  'Null if neither is known. Either argument may be null.';

-- Returns how much of a payment's money we still hold.
create function private.net_paise(payment_id text)
returns integer
language sql
stable
set search_path = ''
as $$
  select case
    when p.status in ('captured', 'refunded') then
      p.amount_paise - least(p.amount_paise, coalesce((
        select sum(r.amount_paise) from public.payment_reversals r
        where r.payment_id = p.id and r.is_money_gone
      ), 0))
    else 0
  end
  from public.payments p
  where p.id = $1;
$$;

comment on function private.net_paise is
  'What was captured minus what was returned; 0 until the payment is captured.';

-- Marks the order paid by a payment whose money we still hold, and grants its credits.
create function private.pay_order(order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order public.payment_orders;
  v_payment_id text;
begin
  select o.* into strict v_order from public.payment_orders o where o.id = pay_order.order_id;

  -- The first payment counts for as long as we hold any of its money. If an order is paid twice, one of
  -- the two is refunded, and not always the second: once all of the first payment's money has been
  -- returned, its credits are gone too, and another payment whose money we hold buys them again.
  if v_order.state = 'paid' and private.net_paise(v_order.razorpay_payment_id) > 0 then
    v_payment_id := v_order.razorpay_payment_id;
  else
    select coalesce(
      (
        select p.id from public.payments p
        where p.order_id = v_order.id
          and p.amount_paise = v_order.amount_paise
          and p.currency = v_order.currency
          and private.net_paise(p.id) > 0
        order by p.created_at, p.id
        limit 1
      ),
      v_order.razorpay_payment_id
    ) into v_payment_id;
  end if;

  -- Captured money that buys nothing is for an operator to return.
  update public.payments p
  set flag = case
    when p.amount_paise = v_order.amount_paise and p.currency = v_order.currency
    then 'second_payment' else 'amount_mismatch'
  end
  where p.order_id = v_order.id
    and p.status in ('captured', 'refunded')
    and p.flag is null
    and (p.id <> v_payment_id
      or p.amount_paise <> v_order.amount_paise
      or p.currency <> v_order.currency);

  if v_payment_id is not distinct from v_order.razorpay_payment_id then
    return;
  end if;

  update public.payments p set flag = null where p.id = v_payment_id;
  update public.payment_orders o
  set state = 'paid',
      razorpay_payment_id = v_payment_id,
      paid_at = coalesce(o.paid_at, clock_timestamp())
  where o.id = v_order.id;

  -- A payment that paid the order earlier got its credits then, and gets them back from the reversals
  -- that failed.
  if exists (select from public.payments p where p.id = v_payment_id and p.credits_granted = 0) then
    perform private.post_entry(
      v_order.user_id, 'credit', v_order.credits, 'payment', v_payment_id
    );
    update public.payments p
    set credits_granted = v_order.credits,
        balance_after_grant = private.collect_debts(v_order.user_id),
        granted_at = clock_timestamp()
    where p.id = v_payment_id;
  end if;
  perform private.apply_reversals(v_order.user_id, v_payment_id);
end;
$$;

comment on function private.pay_order is
  'Idempotent. Does nothing to an order none of whose payments has money that we still hold.';

-- Changes a balance and writes the ledger entry for it.
create function private.post_entry(
  user_id uuid,
  action text,
  credits integer,
  source text,
  reference_id text
)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_delta constant integer := case post_entry.action
    when 'credit' then post_entry.credits
    when 'debit' then -post_entry.credits
  end;
  v_balance_after integer;
begin
  if post_entry.credits is null or post_entry.credits < 1 then
    raise exception 'an entry moves at least one credit, not %', post_entry.credits
      using errcode = 'invalid_parameter_value';
  end if;

  with moved as (
    update public.users u
    set credits = u.credits + v_delta,
        transaction_count = u.transaction_count + 1
    where u.id = post_entry.user_id
    returning u.id, u.credits, u.transaction_count
  )
  insert into public.credit_transactions
    (user_id, sequence_number, action, credits, source, reference_id, balance_after)
  select m.id, m.transaction_count, post_entry.action, post_entry.credits, post_entry.source,
    post_entry.reference_id, m.credits
  from moved m
  returning balance_after into strict v_balance_after;

  return v_balance_after;
end;
$$;

comment on function private.post_entry is
  'Returns the balance after the entry. Constraints reject a balance below zero and a reference that was posted before.';

-- Stores what Razorpay reports about a refund or a dispute.
create function private.record_reversal(payment_id text, reversal jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_refund_steps constant text[] := array['pending', 'processed', 'failed'];
  v_dispute_steps constant text[] :=
    array['open', 'under_review', 'action_required', 'closed', 'lost', 'won'];
begin
  insert into public.payment_reversals as r
    (id, payment_id, kind, status, amount_paise, is_money_gone, reported_at)
  values (
    record_reversal.reversal ->> 'id',
    record_reversal.payment_id,
    record_reversal.reversal ->> 'kind',
    record_reversal.reversal ->> 'status',
    (record_reversal.reversal ->> 'amount_paise')::integer,
    (record_reversal.reversal ->> 'is_money_gone')::boolean,
    (record_reversal.reversal ->> 'reported_at')::timestamptz
  )
  on conflict (id) do update
  set status = excluded.status,
      amount_paise = excluded.amount_paise,
      is_money_gone = excluded.is_money_gone,
      reported_at = excluded.reported_at
  -- Reports arrive in any order. A refund only moves forward. For a dispute the newest report counts,
  -- because a lost one may still be won; Razorpay's times are whole seconds, so of two reports from the
  -- same second the later step counts.
  where case excluded.kind
    when 'refund' then
      array_position(v_refund_steps, excluded.status) > array_position(v_refund_steps, r.status)
    else
      (excluded.reported_at, array_position(v_dispute_steps, excluded.status))
        > (r.reported_at, array_position(v_dispute_steps, r.status))
  end;
end;
$$;

comment on function private.record_reversal is
  'reversal: {id, kind, status, amount_paise, is_money_gone, reported_at}. A repeated or older report changes nothing.';

-- Refuses every change to a row that was written once.
create function private.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$$;

comment on function private.refuse_change is
  'Trigger of the append-only tables. Only the tables'' owner or a superuser can disable it; no role of the Data API can.';

-- Returns credits that a reversal took: first by canceling its debt, then by adding to the balance.
create function private.restore_credits(user_id uuid, reversal_id text, credits integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_kind text;
  v_owed integer;
begin
  select r.kind, least(r.credits_owed, restore_credits.credits) into strict v_kind, v_owed
  from public.payment_reversals r where r.id = restore_credits.reversal_id for update;

  update public.payment_reversals r
  set credits_taken = r.credits_taken - restore_credits.credits,
      credits_owed = r.credits_owed - v_owed
  where r.id = restore_credits.reversal_id;

  update public.users u set debt_credits = u.debt_credits - v_owed
  where u.id = restore_credits.user_id;

  if restore_credits.credits > v_owed then
    perform private.post_entry(
      restore_credits.user_id, 'credit', restore_credits.credits - v_owed, v_kind, restore_credits.reversal_id
    );
    perform private.collect_debts(restore_credits.user_id);
  end if;
end;
$$;

comment on function private.restore_credits is
  'The ledger gets one credit, with source refund or dispute, for what had been taken from the balance.';

-- Takes credits back for a reversal. What the user has already spent becomes a debt.
create function private.revoke_credits(user_id uuid, reversal_id text, credits integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_kind text;
  v_available integer;
begin
  select least(u.credits, revoke_credits.credits) into strict v_available
  from public.users u where u.id = revoke_credits.user_id for no key update;

  update public.payment_reversals r
  set credits_taken = r.credits_taken + revoke_credits.credits,
      credits_owed = r.credits_owed + revoke_credits.credits - v_available
  where r.id = revoke_credits.reversal_id
  returning r.kind into strict v_kind;

  update public.users u set debt_credits = u.debt_credits + revoke_credits.credits - v_available
  where u.id = revoke_credits.user_id;

  if v_available > 0 then
    perform private.post_entry(
      revoke_credits.user_id, 'debit', v_available, v_kind, revoke_credits.reversal_id
    );
  end if;
end;
$$;

comment on function private.revoke_credits is
  'The ledger gets one debit, with source refund or dispute, for as much as the balance allows.';

-- Returns the user of the current session, for the policies. A session proves a phone number; with it, a
-- page may read its user's own rows from the Data API and follow them with Realtime.
create function private.session_user_id()
returns uuid
language sql
stable
-- The policies run as the caller, who may not read identities.
security definer
set search_path = ''
as $$
  -- Supabase Auth writes the number without its plus sign.
  select i.user_id from public.identities i
  where i.kind = 'phone'
    and i.value = '+' || ltrim(
      nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'phone', '+'
    );
$$;

comment on function private.session_user_id is
  'The user whose phone number is in the session''s token; null without a session or a number.';

-- Stores the payment link that Razorpay created for an order.
create function public.attach_payment_link(
  order_id uuid,
  razorpay_payment_link_id text,
  short_url text,
  expires_at timestamptz
)
returns table (stored_short_url text, stored_expires_at timestamptz)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
begin
  -- The first link stays, so that calls at the same moment hand out one link.
  update public.payment_orders o
  set razorpay_payment_link_id = attach_payment_link.razorpay_payment_link_id,
      short_url = attach_payment_link.short_url,
      expires_at = attach_payment_link.expires_at
  where o.id = attach_payment_link.order_id and o.channel = 'link' and o.razorpay_payment_link_id is null;

  return query select o.short_url, o.expires_at from public.payment_orders o
  where o.id = attach_payment_link.order_id;
end;
$$;

comment on function public.attach_payment_link is
  'Returns the link that the order has now: the given one, or one that was stored earlier.';

-- Stores the id that Razorpay gave an order.
create function public.attach_razorpay_order(order_id uuid, razorpay_order_id text)
returns text
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
declare
  v_razorpay_order_id text;
begin
  -- The first id stays. Another call that asked Razorpay at the same moment returns this id as well, and
  -- its own Razorpay order is never paid because nobody is given that id.
  update public.payment_orders o
  set razorpay_order_id = attach_razorpay_order.razorpay_order_id,
      state = 'open',
      opened_at = clock_timestamp()
  where o.id = attach_razorpay_order.order_id and o.state = 'pending';

  select o.razorpay_order_id into v_razorpay_order_id from public.payment_orders o
  where o.id = attach_razorpay_order.order_id;
  return v_razorpay_order_id;
end;
$$;

comment on function public.attach_razorpay_order is
  'Returns the Razorpay order id that the order has now: the given one, or one that was stored earlier. Null if there is no such order.';

-- Looks for anything in the books that must never occur.
create function public.check_invariants()
returns table (invariant text, subject text, detail text)
language sql
stable
security definer
set search_path = ''
as $$
  with ledger as (
    select
      t.*,
      case t.action when 'credit' then t.credits else -t.credits end as delta,
      lag(t.balance_after, 1, 0) over history as balance_before,
      lag(t.sequence_number, 1, 0) over history as previous_number
    from public.credit_transactions t
    window history as (partition by t.user_id order by t.sequence_number)
  ),
  -- A user's entries, and those of the accounts that were merged into it.
  accounts as (
    select u.id as account_id, coalesce(u.merged_into, u.id) as user_id from public.users u
  ),
  totals as (
    select l.user_id, sum(l.delta) as credits, count(*) as entries from ledger l group by l.user_id
  )
  select
    'the balance is the sum of the ledger',
    'user ' || u.id,
    format('balance %s, ledger %s', u.credits, coalesce(t.credits, 0))
  from public.users u left join totals t on t.user_id = u.id
  where u.credits <> coalesce(t.credits, 0)

  union all
  select
    'the entries are counted',
    'user ' || u.id,
    format('count %s, entries %s', u.transaction_count, coalesce(t.entries, 0))
  from public.users u left join totals t on t.user_id = u.id
  where u.transaction_count <> coalesce(t.entries, 0)

  union all
  select
    'every entry follows from the one before it',
    'entry ' || l.id,
    format('number %s after %s, balance %s after %s and a %s of %s', l.sequence_number,
      l.previous_number, l.balance_after, l.balance_before, l.action, l.credits)
  from ledger l
  where l.balance_after <> l.balance_before + l.delta
    or l.sequence_number <> l.previous_number + 1

  union all
  select 'every identity of a user is its own, and its number is one of them', 'user ' || u.id,
    format('%s identities, merged %s', count(i.value), u.merged_into is not null)
  from public.users u
  left join public.identities i on i.user_id = u.id
  group by u.id
  having (count(i.value) = 0) <> (u.merged_into is not null)
    or u.phone_number is not null
      and count(*) filter (where i.kind = 'phone' and i.value = u.phone_number) = 0
    or u.merged_into is not null and (u.credits > 0 or u.debt_credits > 0)

  union all
  select 'a merge moves what it takes', 'entry ' || t.id, format('%s %s', t.action, t.reference_id)
  from public.credit_transactions t
  where t.source = 'merge' and not exists (
    select from public.credit_transactions other
    where other.source = 'merge' and other.action <> t.action and other.credits = t.credits
      and other.reference_id = case t.action when 'debit' then 'from ' else 'into ' end || t.user_id
      and other.user_id::text = right(t.reference_id, 36)
  )

  union all
  select 'the welcome is given once, first, and to everybody', 'user ' || u.id,
    format('%s system entries', count(t.id))
  from public.users u
  left join public.credit_transactions t on t.user_id = u.id and t.source = 'system'
  group by u.id
  having count(t.id) <> 1 or min(t.sequence_number) <> 1

  union all
  select
    'a paid order granted its credits once, to its user',
    'order ' || o.id,
    format('promised %s, granted %s', o.credits, coalesce(sum(t.credits), 0))
  from public.payment_orders o
  left join public.credit_transactions t
    on t.user_id in (select a.account_id from accounts a where a.user_id = o.user_id)
      and t.source = 'payment' and t.action = 'credit' and t.reference_id = o.razorpay_payment_id
  where o.state = 'paid'
  group by o.id
  having count(t.id) <> 1 or sum(t.credits) <> o.credits

  union all
  select 'every payment entry belongs to a payment of a paid order', 'entry ' || t.id,
    format('reference %s', t.reference_id)
  from public.credit_transactions t
  left join public.payments p on p.id = t.reference_id and p.credits_granted = t.credits
  left join public.payment_orders o
    on o.id = p.order_id and o.state = 'paid'
      and t.user_id in (select a.account_id from accounts a where a.user_id = o.user_id)
      and o.amount_paise = p.amount_paise and o.currency = p.currency
  where t.source = 'payment' and (o.id is null or t.action <> 'credit')

  union all
  select 'a payment that granted credits had the money', 'payment ' || p.id,
    format('granted %s while %s, order %s grants %s', p.credits_granted, p.status, o.id, o.credits)
  from public.payments p
  join public.payment_orders o on o.id = p.order_id
  where p.credits_granted > 0
    and (p.credits_granted <> o.credits or p.status not in ('captured', 'refunded'))

  union all
  select 'one payment pays an order, and the others are flagged', 'payment ' || p.id,
    format('%s while %s, order %s is paid by %s', coalesce(p.flag, 'not flagged'), p.status, o.id,
      coalesce(o.razorpay_payment_id, 'none'))
  from public.payments p
  join public.payment_orders o on o.id = p.order_id
  where case
    when p.id = o.razorpay_payment_id then p.flag is not null
    when p.credits_granted > 0 then p.flag is null
    else false
  end

  union all
  select 'an order is paid where money for it is here', 'payment ' || p.id,
    format('%s paise held, order %s is paid by %s', private.net_paise(p.id), o.id,
      coalesce(o.razorpay_payment_id, 'none'))
  from public.payments p
  join public.payment_orders o
    on o.id = p.order_id and o.amount_paise = p.amount_paise and o.currency = p.currency
  where private.net_paise(p.id) > 0
    and coalesce(private.net_paise(o.razorpay_payment_id), 0) = 0

  union all
  select 'reversals take back what went back, and no more', 'payment ' || p.id,
    format('granted %s, taken %s, %s of %s paise gone', p.credits_granted, sum(r.credits_taken),
      sum(r.amount_paise) filter (where r.is_money_gone), p.amount_paise)
  from public.payments p
  join public.payment_orders o on o.id = p.order_id
  join public.payment_reversals r on r.payment_id = p.id
  group by p.id, o.id
  having sum(r.credits_taken) <> case
    when p.id = o.razorpay_payment_id then
      p.credits_granted::bigint
        * least(
            p.amount_paise::bigint,
            coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0)
          )
        / p.amount_paise
    -- It paid the order once, until another payment took over.
    else p.credits_granted
  end

  union all
  select 'the ledger holds what a reversal took', 'reversal ' || r.id,
    format('taken %s, owed %s, ledger %s', r.credits_taken, r.credits_owed,
      coalesce(sum(-l.delta), 0))
  from public.payment_reversals r
  join public.payments p on p.id = r.payment_id
  join public.payment_orders o on o.id = p.order_id
  left join ledger l on l.reference_id = r.id and l.source = r.kind
    and l.user_id in (select a.account_id from accounts a where a.user_id = o.user_id)
  group by r.id
  having r.credits_taken - r.credits_owed <> coalesce(sum(-l.delta), 0)

  union all
  select 'every entry of a reversal belongs to one', 'entry ' || t.id,
    format('reference %s', t.reference_id)
  from public.credit_transactions t
  left join public.payment_reversals r on r.id = t.reference_id and r.kind = t.source
  where t.source in ('refund', 'dispute') and r.id is null

  union all
  select 'a debt is the sum of what is owed, and is paid while there are credits', 'user ' || u.id,
    format('debt %s, owed %s, balance %s', u.debt_credits, coalesce(sum(r.credits_owed), 0),
      u.credits)
  from public.users u
  left join public.payment_orders o on o.user_id = u.id
  left join public.payments p on p.order_id = o.id
  left join public.payment_reversals r on r.payment_id = p.id
  group by u.id
  having u.debt_credits <> coalesce(sum(r.credits_owed), 0)
    or u.debt_credits > 0 and u.credits > 0;
$$;

comment on function public.check_invariants is
  'Returns every violated invariant of the books with its subject, and no row if all is well. For operators and for tests.';

-- Hands out the orders that Razorpay should be asked about now, each to one caller only.
create function public.claim_orders_to_check(batch_size integer, key_mode text)
returns table (
  order_id uuid,
  razorpay_order_id text,
  razorpay_payment_link_id text
)
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  with due as (
    select o.id
    from public.payment_orders o
    where o.next_check_at <= clock_timestamp()
      and o.key_mode = $2
      -- An order that Razorpay does not know cannot have been paid.
      and num_nonnulls(o.razorpay_order_id, o.razorpay_payment_link_id) > 0
    order by o.next_check_at
    limit $1
    for no key update skip locked
  )
  update public.payment_orders o
  -- A claim that is never finished, because the caller was cut off or Razorpay did not respond, expires.
  -- It takes longer for an older order, so that one that keeps failing is tried less and less often.
  set next_check_at = clock_timestamp()
    + greatest(interval '2 minutes', (clock_timestamp() - o.created_at) / 20)
  from due
  where o.id = due.id
  returning o.id, o.razorpay_order_id, o.razorpay_payment_link_id;
$$;

comment on function public.claim_orders_to_check is
  'Returns at most batch_size orders, longest overdue first; concurrent callers get different ones. finish_order_check ends a claim.';

-- Counts a wrong secret against the address that sent it.
create function public.count_wrong_secret(caller_address text)
returns integer
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  select private.count_against_limits('wrong_secret', $1);
$$;

comment on function public.count_wrong_secret is
  '0, or the number of seconds that the address should wait.';

-- Spends a user's credits, at most once for each reference.
create function public.deduct_credits(
  phone_number text default null,
  credits integer default 1,
  reference_id text default null,
  whatsapp_user_id text default null
)
returns table (outcome text, user_id uuid, remaining_credits integer)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_user_id uuid;
  v_user public.users;
  v_first public.credit_transactions;
begin
  if deduct_credits.credits is null or deduct_credits.credits < 1 then
    raise exception 'a deduction is at least one credit, not %', deduct_credits.credits
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(deduct_credits.phone_number, deduct_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id);
  end if;

  loop
    if deduct_credits.reference_id is not null then
      -- Lock first, then look: two calls with one reference take turns, and the second sees what the
      -- first has written. The user is looked up as in private.find_user_id, but inline, here and below:
      -- this is the hot path, and calling the function would cost as much as everything else.
      select u.id into v_user_id from public.users u
      where u.id = coalesce(
        (
          select i.user_id from public.identities i
          where i.kind = 'phone' and i.value = deduct_credits.phone_number
        ),
        (
          select i.user_id from public.identities i
          where i.kind = 'whatsapp_user_id' and i.value = deduct_credits.whatsapp_user_id
        )
      )
      for no key update;

      select t.* into v_first from public.credit_transactions t
      where t.user_id = v_user_id
        -- A literal, so that the planner sees that the partial index on references covers it.
        and t.source = 'image_generation'
        and t.reference_id = deduct_credits.reference_id;

      -- An account that was merged into this one may have served the first call.
      if not found then
        select t.* into v_first
        from public.users u
        join public.credit_transactions t on t.user_id = u.id
        where u.merged_into = v_user_id
          and t.source = 'image_generation'
          and t.reference_id = deduct_credits.reference_id;
      end if;

      -- A repeated reference is a retry: return what the first call did, and charge nothing.
      if found then
        return query select
          case when v_first.credits = deduct_credits.credits then 'replayed' else 'reference_reused' end,
          v_first.user_id,
          v_first.balance_after;
        return;
      end if;
    end if;

    -- One statement decides, charges and records. If another transaction held the row, PostgreSQL
    -- evaluates the condition again on the newest version, so no stale balance is ever written back.
    with charged as (
      update public.users u
      set credits = u.credits - deduct_credits.credits,
          transaction_count = u.transaction_count + 1
      where u.id = case
          when deduct_credits.reference_id is not null then v_user_id
          else coalesce(
            (
              select i.user_id from public.identities i
              where i.kind = 'phone' and i.value = deduct_credits.phone_number
            ),
            (
              select i.user_id from public.identities i
              where i.kind = 'whatsapp_user_id' and i.value = deduct_credits.whatsapp_user_id
            )
          )
        end
        and u.credits >= deduct_credits.credits
      returning u.id, u.credits, u.transaction_count
    )
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after)
    select c.id, c.transaction_count, 'debit', deduct_credits.credits,
      'image_generation', deduct_credits.reference_id, c.credits
    from charged c
    returning user_id, balance_after into user_id, remaining_credits;

    if found then
      outcome := 'deducted';
      return next;
      return;
    end if;

    -- Nothing was charged: the user is unknown or has too few credits. It is worth another try if the
    -- user is new (another call may have just created it and charged this reference) or if credits have
    -- arrived meanwhile.
    v_user := private.ensure_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id);
    if v_user.credits < deduct_credits.credits
      and (deduct_credits.reference_id is null or v_user.id = v_user_id)
    then
      return query select 'insufficient_credits', v_user.id, v_user.credits;
      return;
    end if;
  end loop;
end;
$$;

comment on function public.deduct_credits is
  'One row. outcome: deducted; replayed (the reference was charged before: remaining_credits is what the first call returned); reference_reused (charged before with another number of credits); insufficient_credits (nothing changed: remaining_credits is the balance).';

-- Deletes the rate counters whose window is over.
create function public.delete_expired_rate_counters()
returns void
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  delete from public.rate_counters c
  using (
    select r.action, r.scope, r.subject
    from public.rate_counters r
    where r.window_ends_at < clock_timestamp()
    -- A counter that is locked is about to start a new window, and its caller must not be kept waiting.
    for update skip locked
  ) expired
  where c.action = expired.action and c.scope = expired.scope and c.subject = expired.subject;
$$;

comment on function public.delete_expired_rate_counters is
  'Housekeeping, to be called now and then. An expired counter counts as zero in any case.';

-- Finds an order by its Razorpay order id, to verify its payment.
create function public.find_order(
  razorpay_order_id text,
  phone_number text,
  caller_address text default null
)
returns table (
  outcome text,
  user_id uuid,
  is_users_phone boolean,
  package_id text,
  key_mode text,
  credits integer,
  razorpay_payment_id text,
  balance_after_payment integer,
  retry_after_seconds integer
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_order public.payment_orders;
begin
  select o.* into v_order from public.payment_orders o
  where o.razorpay_order_id = find_order.razorpay_order_id;

  if find_order.caller_address is not null then
    retry_after_seconds := private.count_against_limits(
      'verify_payment', find_order.caller_address, user_id => v_order.user_id
    );
    if retry_after_seconds > 0 then
      outcome := 'rate_limited';
      return next;
      return;
    end if;
  end if;

  if v_order.id is null then
    outcome := 'order_not_found';
    return next;
    return;
  end if;

  select p.balance_after_grant into balance_after_payment from public.payments p
  where p.id = v_order.razorpay_payment_id;

  outcome := 'found';
  user_id := v_order.user_id;
  is_users_phone :=
    v_order.user_id is not distinct from private.find_user_id(find_order.phone_number, null);
  package_id := v_order.package_id;
  key_mode := v_order.key_mode;
  credits := v_order.credits;
  razorpay_payment_id := v_order.razorpay_payment_id;
  retry_after_seconds := 0;
  return next;
end;
$$;

comment on function public.find_order is
  'One row. outcome: found (is_users_phone says whether phone_number is one of the user''s; the payment and the balance after it are null until the order is paid); order_not_found; rate_limited (too many verifications from caller_address, for this user or in total).';

-- Returns everything recorded about an order, for an operator.
create function public.find_payments(search text)
returns table (order_id uuid, life jsonb)
language sql
stable
security definer
set search_path = ''
as $$
  select
    o.id,
    jsonb_build_object(
      'order', to_jsonb(o),
      'phone_number', u.phone_number,
      'balance', u.credits,
      'debt_credits', u.debt_credits,
      'payments', coalesce((
        select jsonb_agg(
          to_jsonb(p) || jsonb_build_object('reversals', coalesce((
            select jsonb_agg(to_jsonb(r) order by r.created_at)
            from public.payment_reversals r where r.payment_id = p.id
          ), '[]'::jsonb))
          order by p.created_at
        )
        from public.payments p where p.order_id = o.id
      ), '[]'::jsonb),
      'transactions', coalesce((
        select jsonb_agg(to_jsonb(t) order by t.sequence_number)
        from public.credit_transactions t
        where t.user_id = o.user_id and t.reference_id in (
          select p.id from public.payments p where p.order_id = o.id
          union all
          select r.id from public.payment_reversals r
          join public.payments p on p.id = r.payment_id
          where p.order_id = o.id
        )
      ), '[]'::jsonb),
      'webhook_deliveries', coalesce((
        select jsonb_agg(to_jsonb(d) - 'payload' order by d.id)
        from public.webhook_deliveries d
        where d.razorpay_order_id = o.razorpay_order_id
          or d.razorpay_payment_id in (select p.id from public.payments p where p.order_id = o.id)
      ), '[]'::jsonb),
      'operator_actions', coalesce((
        select jsonb_agg(to_jsonb(a) order by a.id)
        from public.operator_actions a where a.order_id = o.id
      ), '[]'::jsonb)
    )
  from public.payment_orders o
  join public.users u on u.id = o.user_id
  where $1 in (o.razorpay_order_id, o.razorpay_payment_link_id)
    or exists (
      select from public.order_references r where r.order_id = o.id and r.reference_id = $1
    )
    or o.user_id = private.find_user_id($1, $1)
    -- The receipt is the order's id without hyphens.
    or replace($1, '-', '') = replace(o.id::text, '-', '')
    or exists (
      select from public.payments p
      left join public.payment_reversals r on r.payment_id = p.id
      where p.order_id = o.id and $1 in (p.id, r.id)
    )
  order by o.created_at desc;
$$;

comment on function public.find_payments is
  'One row per order, newest first. search: a Razorpay order, payment, payment link, refund or dispute id, our order id or receipt, a bot''s reference, a phone number in E.164 or a WhatsApp user id.';

-- Plans when Razorpay is asked about an order next.
create function public.finish_order_check(order_id uuid)
returns void
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  -- Often while the order is young, less and less often later. A late authorization can arrive for five
  -- days, and a refund that no webhook reported, for half a year.
  update public.payment_orders o
  set next_check_at = case
    when clock_timestamp() - o.created_at
      < case o.state when 'paid' then interval '180 days' else interval '6 days' end
    then clock_timestamp() + greatest(interval '5 minutes', (clock_timestamp() - o.created_at) / 2)
  end
  where o.id = $1;
$$;

comment on function public.finish_order_check is
  'Ends a claim of claim_orders_to_check.';

-- Stores the outcome of a delivery.
create function public.finish_webhook(delivery_id bigint, outcome text)
returns void
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  update public.webhook_deliveries d
  set outcome = $2, finished_at = clock_timestamp()
  where d.id = $1;
$$;

comment on function public.finish_webhook is
  'outcome: an outcome of settle_payment, or ignored or failed.';

-- Returns a user's profile and balance, and creates the user on first contact.
create function public.get_user(
  phone_number text default null,
  whatsapp_user_id text default null,
  caller_address text default null
)
returns table (
  outcome text,
  user_id uuid,
  credits integer,
  created_at timestamptz,
  retry_after_seconds integer
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_user public.users;
begin
  -- Anyone who can reach a page could otherwise farm free credits with made-up numbers.
  if get_user.caller_address is not null
    and private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null
  then
    retry_after_seconds := private.count_against_limits('create_user', get_user.caller_address);
    if retry_after_seconds > 0 then
      outcome := 'rate_limited';
      return next;
      return;
    end if;
  end if;

  v_user := private.ensure_user(get_user.phone_number, get_user.whatsapp_user_id);
  return query select 'found', v_user.id, v_user.credits, v_user.created_at, 0;
end;
$$;

comment on function public.get_user is
  'The user of a phone number (E.164) or a WhatsApp user id, created on first contact. One row. outcome: found; rate_limited (too many unknown numbers from caller_address or in total; nothing was created).';

-- Lists what needs an operator's attention.
create function public.list_attention()
returns table (kind text, subject text, since timestamptz, detail text)
language sql
stable
security definer
set search_path = ''
as $$
  select 'flagged payment', p.id, p.created_at,
    format('%s: %s paise of order %s bought nothing; refund them', p.flag, p.amount_paise, p.order_id)
  from public.payments p
  left join public.payment_reversals r on r.payment_id = p.id and r.is_money_gone
  where p.flag is not null
  group by p.id
  having coalesce(sum(r.amount_paise), 0) < p.amount_paise

  union all
  select 'debt', coalesce(u.phone_number, u.id::text), min(r.created_at),
    format('%s credits were spent before their money went back', u.debt_credits)
  from public.users u
  join public.payment_orders o on o.user_id = u.id
  join public.payments p on p.order_id = o.id
  join public.payment_reversals r on r.payment_id = p.id and r.credits_owed > 0
  where u.debt_credits > 0
  group by u.id

  union all
  select 'open order', o.id::text, o.created_at,
    format('%s paise by %s since %s', o.amount_paise, o.channel, o.created_at)
  from public.payment_orders o
  where o.state = 'open' and o.created_at < clock_timestamp() - interval '15 minutes'
    and o.next_check_at is not null

  union all
  select 'failed delivery', d.id::text, d.received_at,
    format('%s %s: %s', d.event, d.event_id, coalesce(d.outcome, 'cut off'))
  from public.webhook_deliveries d
  where (d.outcome is null and d.received_at < clock_timestamp() - interval '1 minute'
      or d.outcome = 'failed')
    -- Superseded by a later successful delivery.
    and not exists (
      select from public.webhook_deliveries later
      where later.event_id = d.event_id and later.id > d.id and later.outcome <> 'failed'
    )

  order by 3;
$$;

comment on function public.list_attention is
  'kind: flagged payment (refund it in Razorpay''s dashboard), debt, open order (older than 15 minutes and still watched), failed delivery.';

-- Returns one page of a user's history, newest first.
create function public.list_credit_transactions(
  user_id uuid,
  page_size integer,
  before_sequence_number integer default null,
  proven_phone_number text default null
)
returns table (
  outcome text,
  total integer,
  debt_credits integer,
  next_cursor integer,
  transactions jsonb
)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_total integer;
  v_debt_credits integer;
begin
  -- A caller who has proven a number may read the history of that number only. Anyone else gets the
  -- same result for a user who exists and for one who does not.
  if list_credit_transactions.proven_phone_number is not null
    and list_credit_transactions.user_id
      is distinct from private.find_user_id(list_credit_transactions.proven_phone_number, null)
  then
    return query select 'not_the_owner', 0, 0, null::integer, '[]'::jsonb;
    return;
  end if;

  select u.transaction_count, u.debt_credits into v_total, v_debt_credits from public.users u
  where u.id = list_credit_transactions.user_id;
  if not found then
    return query select 'user_not_found', 0, 0, null::integer, '[]'::jsonb;
    return;
  end if;

  return query
  with page as (
    select t.* from public.credit_transactions t
    where t.user_id = list_credit_transactions.user_id
      and t.sequence_number < coalesce(list_credit_transactions.before_sequence_number, v_total + 1)
    order by t.sequence_number desc
    limit list_credit_transactions.page_size
  )
  select
    'listed',
    v_total,
    v_debt_credits,
    -- Numbers have no gaps, so the next page starts right below the oldest entry of this one.
    case when min(p.sequence_number) > 1 then min(p.sequence_number) end,
    coalesce(
      jsonb_agg(
        jsonb_build_object(
          'id', p.id,
          'user_id', p.user_id,
          'action', p.action,
          'credits', p.credits,
          'source', p.source,
          'reference_id', p.reference_id,
          'created_at', p.created_at,
          'balance_after', p.balance_after
        )
        order by p.sequence_number desc
      ),
      '[]'::jsonb
    )
  from page p;
end;
$$;

comment on function public.list_credit_transactions is
  'One row. outcome: listed; user_not_found; not_the_owner (if proven_phone_number is given and belongs to another user). total counts all entries of the user; next_cursor is null on the last page.';

-- Merges two accounts of one person into one, keeping both histories intact.
create function public.merge_users(from_user_id uuid, into_user_id uuid)
returns text
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
declare
  v_from public.users;
  v_into public.users;
begin
  if merge_users.from_user_id = merge_users.into_user_id then
    return 'same_user';
  end if;

  -- Both rows are locked in one order, whichever way around an operator names them.
  perform from public.users u
  where u.id in (merge_users.from_user_id, merge_users.into_user_id)
  order by u.id
  for no key update;

  select u.* into v_from from public.users u where u.id = merge_users.from_user_id;
  select u.* into v_into from public.users u where u.id = merge_users.into_user_id;
  if v_from.id is null or v_into.id is null then
    return 'user_not_found';
  elsif v_from.merged_into = v_into.id then
    return 'replayed';
  elsif num_nonnulls(v_from.merged_into, v_into.merged_into) > 0 then
    return 'merged_before';
  end if;

  if v_from.credits > 0 then
    perform private.post_entry(
      v_from.id, 'debit', v_from.credits, 'merge', 'into ' || v_into.id
    );
    perform private.post_entry(
      v_into.id, 'credit', v_from.credits, 'merge', 'from ' || v_from.id
    );
  end if;

  -- Open orders may still be paid and paid ones refunded, so they move to the merged account.
  update public.payment_orders o set user_id = v_into.id where o.user_id = v_from.id;
  update public.order_references r set user_id = v_into.id
  where r.user_id = v_from.id and not exists (
    select from public.order_references mine
    where mine.user_id = v_into.id and mine.reference_id = r.reference_id
  );
  update public.users u set debt_credits = u.debt_credits + v_from.debt_credits
  where u.id = v_into.id;
  update public.users u set debt_credits = 0 where u.id = v_from.id;
  perform private.collect_debts(v_into.id);

  -- Accounts that were merged into this one earlier follow it, so that merged_into always leads to the
  -- current account in one step.
  update public.users u set merged_into = v_into.id where u.merged_into = v_from.id;
  update public.identities i set user_id = v_into.id where i.user_id = v_from.id;
  update public.users u set merged_into = v_into.id, phone_number = null where u.id = v_from.id;
  update public.users u set phone_number = coalesce(u.phone_number, v_from.phone_number)
  where u.id = v_into.id;
  return 'merged';
end;
$$;

comment on function public.merge_users is
  'merged: the identities and the balance have moved, the old history stays under the old id. replayed: they had moved before. same_user, user_not_found, merged_before (one of them is no longer an account): nothing changed.';

-- Fixes what a purchase costs and grants, before Razorpay is told about it.
create function public.place_order(
  package_id text,
  key_mode text,
  channel text default 'checkout',
  reference_id text default null,
  phone_number text default null,
  whatsapp_user_id text default null,
  caller_address text default null
)
returns table (
  outcome text,
  user_id uuid,
  order_id uuid,
  razorpay_order_id text,
  package_name text,
  credits integer,
  amount_paise integer,
  currency text,
  short_url text,
  expires_at timestamptz,
  retry_after_seconds integer
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  -- Long enough for a customer who goes back and tries again, short enough for a price to change.
  v_reusable_for constant interval := '30 minutes';
  -- A link that is about to expire is of no use to someone who has yet to open it.
  v_min_remaining constant interval := '5 minutes';
  v_package public.packages;
  v_user public.users;
  v_order public.payment_orders;
begin
  select p.* into v_package from public.packages p
  where p.id = place_order.package_id and p.is_active;
  if not found then
    outcome := 'package_not_found';
    return next;
    return;
  end if;

  -- Anyone who can reach a page could otherwise fill the tables, here and at Razorpay.
  if place_order.caller_address is not null then
    retry_after_seconds := private.count_against_limits(
      'create_order', place_order.caller_address, place_order.phone_number
    );
    if retry_after_seconds = 0
      and private.find_user_id(place_order.phone_number, place_order.whatsapp_user_id) is null
    then
      retry_after_seconds := private.count_against_limits(
        'create_user', place_order.caller_address
      );
    end if;
    if retry_after_seconds > 0 then
      outcome := 'rate_limited';
      return next;
      return;
    end if;
  end if;

  -- The lock makes calls for one user take turns, so that two of them share one order.
  v_user := private.ensure_user(place_order.phone_number, place_order.whatsapp_user_id);
  perform from public.users u where u.id = v_user.id for no key update;

  -- A repeated reference is a retry, whatever has become of its order since.
  select o.* into v_order
  from public.order_references r
  join public.payment_orders o on o.id = r.order_id
  where r.user_id = v_user.id and r.reference_id = place_order.reference_id;
  if found then
    outcome := case
      when v_order.package_id = v_package.id and v_order.channel = place_order.channel
      then 'replayed' else 'reference_reused'
    end;
  else
    -- An order that is still waiting for this payment is used again: a second click buys nothing twice.
    select o.* into v_order from public.payment_orders o
    where o.user_id = v_user.id
      and o.package_id = v_package.id
      and o.channel = place_order.channel
      and o.state in ('pending', 'open')
      and coalesce(o.expires_at - v_min_remaining, o.created_at + v_reusable_for) > clock_timestamp()
      and o.key_mode = place_order.key_mode
      and o.credits = v_package.credits
      and o.amount_paise = v_package.price * 100
    order by o.created_at desc
    limit 1;

    if found then
      outcome := 'reused';
    else
      outcome := 'placed';
      insert into public.payment_orders
        (user_id, package_id, package_name, credits, amount_paise, key_mode, channel)
      values (v_user.id, v_package.id, v_package.name, v_package.credits, v_package.price * 100,
        place_order.key_mode, place_order.channel)
      returning * into v_order;
    end if;

    if place_order.reference_id is not null then
      insert into public.order_references (user_id, reference_id, order_id)
      values (v_user.id, place_order.reference_id, v_order.id);
    end if;
  end if;

  return query select outcome, v_user.id, v_order.id, v_order.razorpay_order_id, v_order.package_name,
    v_order.credits, v_order.amount_paise, v_order.currency, v_order.short_url, v_order.expires_at,
    0;
end;
$$;

comment on function public.place_order is
  'One row. outcome: placed; reused (the same purchase is still waiting for its payment); replayed (this reference placed this order before); reference_reused (this reference placed another order); package_not_found; rate_limited (too many orders from caller_address, for this number or in total; nothing was placed). razorpay_order_id is null until attach_razorpay_order has stored it, and short_url until attach_payment_link has.';

-- Stores a delivery before it is handled.
create function public.receive_webhook(
  event_id text,
  event text,
  payload text,
  razorpay_order_id text default null,
  razorpay_payment_id text default null
)
returns bigint
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  insert into public.webhook_deliveries
    (event_id, event, payload, razorpay_order_id, razorpay_payment_id)
  values ($1, $2, $3::json, $4, $5)
  returning id;
$$;

comment on function public.receive_webhook is
  'Returns the id of the delivery, for finish_webhook. payload is the body exactly as it was received.';

-- Records that an operator settled an order by hand.
create function public.record_operator_action(
  order_id uuid,
  operator text,
  reason text,
  outcome text
)
returns void
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  insert into public.operator_actions (order_id, operator, reason, outcome)
  values ($1, $2, $3, $4);
$$;

comment on function public.record_operator_action is
  'Append-only: a recorded action cannot be changed or removed.';

-- Books what Razorpay reports about one payment. verify-payment, the webhook and the reconciler all come
-- here, in any order and any number of times.
create function public.settle_payment(
  razorpay_order_id text,
  razorpay_payment_id text,
  payment_status text,
  amount_paise integer,
  currency text,
  reversals jsonb default '[]',
  receipt text default null
)
returns table (outcome text, credits_added integer, remaining_credits integer)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  -- A failed payment may still be authorized or captured: the bank responds late, or the customer
  -- tries again within the same payment (Razorpay docs, webhooks/payments.md).
  v_steps constant text[] := array['created', 'failed', 'authorized', 'captured', 'refunded'];
  v_order_id uuid;
  v_order public.payment_orders;
  v_payment public.payments;
  v_reversal jsonb;
  v_was_granted boolean;
begin
  select o.id into v_order_id from public.payment_orders o
  where o.razorpay_order_id = settle_payment.razorpay_order_id;

  -- A payment may arrive before its Razorpay order is known: the response to create-order was cut off,
  -- or a payment link got its order when the customer started to pay. The receipt, which is our order's
  -- id without hyphens, then tells which order it is.
  if v_order_id is null and settle_payment.receipt ~ '^[0-9a-f]{32}$' then
    v_order_id := settle_payment.receipt::uuid;
  end if;

  perform from public.users u
  where u.id = (select o.user_id from public.payment_orders o where o.id = v_order_id)
  for no key update;

  select o.* into v_order from public.payment_orders o where o.id = v_order_id for no key update;

  if v_order.state = 'pending' then
    update public.payment_orders o
    set razorpay_order_id = settle_payment.razorpay_order_id,
        state = 'open',
        opened_at = clock_timestamp()
    where o.id = v_order.id
    returning * into v_order;
  end if;

  if v_order.id is null or v_order.razorpay_order_id <> settle_payment.razorpay_order_id then
    outcome := 'not_ours';
    return next;
    return;
  end if;

  insert into public.payments as p (id, order_id, status, amount_paise, currency)
  values (settle_payment.razorpay_payment_id, v_order.id, settle_payment.payment_status,
    settle_payment.amount_paise, settle_payment.currency)
  on conflict (id) do update
  -- Reports arrive in any order; a payment only moves forward.
  set status = v_steps[greatest(
    array_position(v_steps, p.status), array_position(v_steps, excluded.status)
  )]
  where p.order_id = excluded.order_id
  returning * into v_payment;

  if v_payment.id is null then
    raise exception 'payment % belongs to another order', settle_payment.razorpay_payment_id
      using errcode = 'integrity_constraint_violation';
  end if;

  for v_reversal in select * from jsonb_array_elements(settle_payment.reversals) loop
    perform private.record_reversal(v_payment.id, v_reversal);
  end loop;
  -- The payment that has paid the order comes first: what it lost is taken back before another payment
  -- may take over and add its credits.
  perform private.apply_reversals(v_order.user_id, v_order.razorpay_payment_id);
  perform private.pay_order(v_order.id);

  v_was_granted := v_payment.credits_granted > 0;
  select o.* into strict v_order from public.payment_orders o where o.id = v_order.id;
  select p.* into strict v_payment from public.payments p where p.id = v_payment.id;

  if v_payment.status in ('captured', 'refunded') and private.net_paise(v_payment.id) = 0 then
    -- Money that came and went buys nothing.
    outcome := 'payment_refunded';
  elsif v_order.amount_paise <> v_payment.amount_paise or v_order.currency <> v_payment.currency then
    outcome := 'amount_mismatch';
  elsif v_payment.status not in ('captured', 'refunded') then
    outcome := 'not_captured';
  elsif v_order.razorpay_payment_id <> v_payment.id then
    outcome := 'paid_by_another_payment';
  else
    -- A repeated report returns the same figures as the first one.
    outcome := case when v_was_granted then 'replayed' else 'settled' end;
    credits_added := v_payment.credits_granted;
    remaining_credits := v_payment.balance_after_grant;
  end if;

  return next;
end;
$$;

comment on function public.settle_payment is
  'One row. outcome: settled; replayed (this payment settled this order before: the figures are those of that moment); payment_refunded (all of its money was returned, and what it had bought was revoked); not_ours (no order of ours has this Razorpay order, and none that is still pending has the receipt); paid_by_another_payment and amount_mismatch (it buys nothing; flagged once captured); not_captured (yet: even a failed payment may still be captured). reversals: see private.record_reversal.';

-- The ledger and the record of operators' actions are append-only.

create trigger credit_transactions_are_append_only
  before update or delete on public.credit_transactions
  for each row execute function private.refuse_change();

create trigger credit_transactions_are_not_truncated
  before truncate on public.credit_transactions
  for each statement execute function private.refuse_change();

create trigger operator_actions_are_append_only
  before update or delete on public.operator_actions
  for each row execute function private.refuse_change();

create trigger operator_actions_are_not_truncated
  before truncate on public.operator_actions
  for each statement execute function private.refuse_change();

-- Which rows a page may read from the Data API, in the tables that grants.sql lets it read. Row level
-- security is on for every table, so a table without a policy shows no rows.

-- The price list is public: a page reads it with the publishable key.
create policy "Anybody may read the packages that are for sale"
  on public.packages for select to anon, authenticated
  using (is_active);

-- A session proves a phone number, and with it the user that the rows belong to.
create policy "A session reads its own user"
  on public.users for select to authenticated
  using (id = (select private.session_user_id()));

create policy "A session reads its own history"
  on public.credit_transactions for select to authenticated
  using (user_id = (select private.session_user_id()));

-- Realtime sends a row to anyone who may select it. Only Supabase projects have this publication.
do $$
begin
  if exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    alter publication supabase_realtime add table public.users, public.credit_transactions;
  end if;
end;
$$;

-- The access matrix: every right that a role of the Data API has. What is not granted here is refused.

-- A page without a session reads the price list; one with a session, its own user and history too.
grant select on public.packages            to anon, authenticated;
grant select on public.users               to authenticated;
grant select on public.credit_transactions to authenticated;

-- The policies ask who is signed in, as the role that reads.
grant usage on schema private                      to authenticated;
grant execute on function private.session_user_id to authenticated;

-- The Edge Functions hold the secret key. Nobody else calls a function.
grant execute on function
  public.attach_payment_link,
  public.attach_razorpay_order,
  public.check_invariants,
  public.claim_orders_to_check,
  public.count_wrong_secret,
  public.deduct_credits,
  public.delete_expired_rate_counters,
  public.find_order,
  public.find_payments,
  public.finish_order_check,
  public.finish_webhook,
  public.get_user,
  public.list_attention,
  public.list_credit_transactions,
  public.merge_users,
  public.place_order,
  public.receive_webhook,
  public.record_operator_action,
  public.settle_payment
to service_role;

-- Rows that belong to the schema. `deno task migration` compares them value by value, so they contain
-- nothing that differs from one database to the next, such as a time or a random id.

insert into public.rate_limits (action, scope, max_count, window_seconds)
values
  ('wrong_secret', 'address', 20, 600),
  ('wrong_secret', 'project', 1000, 600),
  ('create_user', 'address', 30, 3600),
  ('create_user', 'project', 3000, 3600),
  ('create_order', 'address', 60, 3600),
  ('create_order', 'phone', 20, 3600),
  ('create_order', 'project', 10000, 3600),
  ('verify_payment', 'address', 120, 60),
  ('verify_payment', 'user', 60, 60),
  ('verify_payment', 'project', 3000, 60);
