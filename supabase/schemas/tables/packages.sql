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
  constraint a_package_holds_at_least_one_credit check (credits >= 1),
  -- A balance is an integer too. More than two thousand purchases of such a package fit into it; beyond
  -- that, a payment could not be booked.
  constraint a_package_holds_at_most_a_million_credits check (credits <= 1000000)
);

comment on table public.packages is
  'What is for sale. A package is retired with is_active = false and never deleted, because orders refer to it.';
comment on column public.packages.price is
  'In rupees, taxes included. Razorpay''s minimum amount is one rupee.';

alter table public.packages enable row level security;
