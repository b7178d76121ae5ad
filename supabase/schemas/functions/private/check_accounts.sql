-- Looks for users that contradict their identities, merges or debts.
create function private.check_accounts()
returns table (invariant text, subject text, detail text)
language sql
stable
set search_path = ''
as $$
  select 'every identity of a user is its own, and its number is one of them', 'user ' || u.id,
    format('number %s, %s identities, merged into %s', coalesce(u.phone_number, 'none'),
      count(i.value), coalesce(u.merged_into::text, 'none'))
  from public.users u
  left join public.identities i on i.user_id = u.id
  group by u.id
  having (count(i.value) = 0) <> (num_nonnulls(u.merged_into, u.erased_at) > 0)
    or u.phone_number is not null
      and count(*) filter (where i.kind = 'phone' and i.value = u.phone_number) = 0
    or u.phone_number is null and count(*) filter (where i.kind = 'phone') > 0

  union all
  select 'a merged account is empty', 'user ' || u.id,
    format('%s credits, %s owed', u.credits, u.debt_credits)
  from public.users u
  where u.merged_into is not null and (u.credits > 0 or u.debt_credits > 0)

  union all
  select 'a merged account leads to the current account in one step', 'user ' || u.id,
    format('merged into %s, which is merged into %s', u.merged_into, next.merged_into)
  from public.users u
  join public.users next on next.id = u.merged_into
  where next.merged_into is not null

  union all
  select 'no order, reference or identity belongs to a merged account', owned.subject,
    format('user %s is merged into %s', u.id, u.merged_into)
  from public.users u
  join (
    select 'order ' || o.id, o.user_id from public.payment_orders o
    union all
    select 'identity ' || i.value, i.user_id from public.identities i
    union all
    select 'reference ' || r.reference_id, r.user_id from public.order_references r
  ) owned (subject, user_id) on owned.user_id = u.id
  where u.merged_into is not null

  union all
  select 'a debt is the sum of what is owed, and is paid while there are credits that are not reserved', 'user ' || u.id,
    format('debt %s, owed %s, balance %s', u.debt_credits, coalesce(sum(r.credits_owed), 0),
      u.credits)
  from public.users u
  left join public.payment_orders o on o.user_id = u.id
  left join public.payments p on p.order_id = o.id
  left join public.payment_reversals r on r.payment_id = p.id
  group by u.id
  having u.debt_credits <> coalesce(sum(r.credits_owed), 0)
    or u.debt_credits > 0 and u.credits > u.held_credits;
$$;

comment on function private.check_accounts is
  'Part of check_invariants.';
