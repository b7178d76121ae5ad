create table public.payment_orders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references public.users (id),
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
  next_check_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  opened_at timestamptz,
  paid_at timestamptz,
  phone_number text,
  whatsapp_user_id text,
  tried_at timestamptz,
  checked_at timestamptz,
  placed_by text,
  changed_at timestamptz,
  erased_at timestamptz,
  has_reference boolean not null default false,
  constraint an_order_grants_at_least_one_credit check (credits >= 1),
  constraint an_order_grants_at_most_a_million_credits check (credits <= 1000000),
  constraint an_order_is_for_somebody check (
    case
      when erased_at is null then num_nonnulls(phone_number, whatsapp_user_id) > 0
      else num_nonnulls(phone_number, whatsapp_user_id, placed_by) = 0
    end
  ),
  constraint placed_by_is_a_hash check (placed_by ~ '^[0-9a-f]{64}$'),
  constraint phone_number_is_e164 check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  constraint whatsapp_user_id_is_of_its_kind
    check (whatsapp_user_id ~ '^[A-Z]{2}\.[A-Za-z0-9.]{1,128}$'),
  constraint a_paid_order_and_no_other_has_a_user check ((state = 'paid') = (user_id is not null)),
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
    check (num_nulls(razorpay_payment_link_id, short_url, expires_at) in (0, 3)),
  constraint razorpay_is_asked_only_about_what_it_knows
    check (
      next_check_at is null or num_nonnulls(razorpay_order_id, razorpay_payment_link_id) > 0
    )
);

create index payment_orders_of_a_user on public.payment_orders (user_id);
create index payment_orders_for_a_phone_number
  on public.payment_orders (phone_number, package_id, created_at);
create index payment_orders_for_a_whatsapp_user_id
  on public.payment_orders (whatsapp_user_id, package_id, created_at)
  where whatsapp_user_id is not null;
create index payment_orders_of_a_package on public.payment_orders (package_id);
-- By mode, because the orders of the test keys stay due for good once live keys have taken over.
create index payment_orders_to_check on public.payment_orders (key_mode, next_check_at)
  where next_check_at is not null;
-- The few whose customers may be waiting for credits. They are checked first, and shown to operators.
create index payment_orders_to_check_first on public.payment_orders (key_mode, next_check_at)
  where next_check_at is not null and state = 'open' and tried_at is not null;
-- The same few, for the account page of the person who is waiting.
create index payment_orders_tried_for_a_phone_number on public.payment_orders (phone_number)
  where next_check_at is not null and state = 'open' and tried_at is not null;
create index payment_orders_tried_for_a_whatsapp_user_id on public.payment_orders (whatsapp_user_id)
  where next_check_at is not null and state = 'open' and tried_at is not null
    and whatsapp_user_id is not null;
-- Those that were never checked come next.
create index payment_orders_never_checked on public.payment_orders (key_mode, next_check_at)
  where next_check_at is not null and state <> 'paid' and tried_at is null and checked_at is null;
-- Those that may be deleted some day. The others would be passed over at every run, and grow in number.
create index payment_orders_abandoned on public.payment_orders (created_at)
  where state <> 'paid' and tried_at is null and next_check_at is null and not has_reference;
create index payment_orders_tried_in_vain on public.payment_orders (tried_at)
  where state <> 'paid' and tried_at is not null and next_check_at is null and not has_reference;
create index payment_orders_by_change on public.payment_orders (changed_at)
  where changed_at is not null;

comment on table public.payment_orders is
  'One intent to buy. What it costs and grants is fixed when it is placed, even if the package changes later.';
comment on column public.payment_orders.phone_number is
  'Who the order is for: a phone number (E.164), a WhatsApp user id, or both. It gets its user when it is paid.';
comment on column public.payment_orders.user_id is
  'The account that got the credits. Null until the order is paid: anyone may order for any number, so an order alone creates no user.';
comment on column public.payment_orders.state is
  'pending: its Razorpay order is not known yet (a payment link gets one when the customer starts to pay). open: waiting for payment. paid: its credits were granted.';
comment on column public.payment_orders.key_mode is
  'Which kind of Razorpay key created the order; a test payment never settles a live order.';
comment on column public.payment_orders.channel is
  'checkout: paid on a page. link: paid through a payment link in the chat.';
comment on column public.payment_orders.next_check_at is
  'When the reconciler next asks Razorpay about the order; null while Razorpay does not know it, and when there is nothing left to learn.';
comment on column public.payment_orders.tried_at is
  'When the first payment on it was reported; null as long as nobody is known to have tried to pay.';
comment on column public.payment_orders.checked_at is
  'When Razorpay was last asked about it.';
comment on column public.payment_orders.changed_at is
  'When the row was last written, by whomever; null if that was before the column existed.';
comment on column public.payment_orders.placed_by is
  'SHA-256 of the network address of a stranger who placed it; null for the owner of the number, the bot and the operator.';
comment on column public.payment_orders.erased_at is
  'When whoever it was for was erased. If it was not paid by then, it is closed: a payment buys nothing, and is flagged.';
comment on column public.payment_orders.has_reference is
  'Whether order_references has a row of it, so that it is kept forever.';

alter table public.payment_orders enable row level security;

create table public.order_references (
  user_id uuid not null references public.users (id),
  reference_id text not null,
  order_id uuid not null references public.payment_orders (id),
  created_at timestamptz not null default clock_timestamp(),
  primary key (user_id, reference_id, order_id)
);

create index order_references_of_an_order on public.order_references (order_id);
-- An operator looks up a reference without knowing the user.
create index order_references_by_reference on public.order_references (reference_id);
create index order_references_by_time on public.order_references
  using brin (created_at) with (pages_per_range = 32, autosummarize = on);

comment on table public.order_references is
  'Which order a bot''s reference led to. Several references may have led to one order while it was open, and one reference to several: an order for each mode of the keys, and those that merged accounts bring along. The oldest counts.';

alter table public.order_references enable row level security;
