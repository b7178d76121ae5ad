create table public.identities (
  kind text not null,
  value text not null,
  -- Checked at commit: who claims an identity first may then make the user for it.
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
  'WhatsApp may send a business-scoped user id (a country code, a dot, letters and digits) in place of a number.';

alter table public.identities enable row level security;
revoke all on table public.identities from public, anon, authenticated, service_role;
