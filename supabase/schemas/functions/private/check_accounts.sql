-- Looks for users that contradict their identities, merges or debts.
create function private.check_accounts(user_ids uuid[])
returns table (invariant text, subject text, detail text, user_id uuid, order_id uuid)
language plpgsql
stable
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
begin
  return query
  with accounts as materialized (
    select u.id, u.phone_number, u.merged_into, u.erased_at, u.credits, u.debt_credits, u.held_credits
    from public.users u
    where check_accounts.user_ids is null
    union all
    select u.id, u.phone_number, u.merged_into, u.erased_at, u.credits, u.debt_credits, u.held_credits
    from unnest(check_accounts.user_ids) c (id)
    join public.users u on u.id = c.id
  )
  select 'every identity of a user is its own, and its number is one of them', 'user ' || u.id,
    format('number %s, %s identities, merged into %s', coalesce(u.phone_number, 'none'),
      count(i.value), coalesce(u.merged_into::text, 'none')),
    u.id, null::uuid
  from accounts u
  left join public.identities i on i.user_id = u.id
  group by u.id, u.phone_number, u.merged_into, u.erased_at
  having (count(i.value) = 0) <> (num_nonnulls(u.merged_into, u.erased_at) > 0)
    or u.phone_number is not null
      and count(*) filter (where i.kind = 'phone' and i.value = u.phone_number) = 0
    or u.phone_number is null and count(*) filter (where i.kind = 'phone') > 0

  union all
  select 'a merged account is empty', 'user ' || u.id,
    format('%s credits, %s owed', u.credits, u.debt_credits),
    u.id, null
  from accounts u
  where u.merged_into is not null and (u.credits > 0 or u.debt_credits > 0)

  union all
  select 'a merged account leads to the current account in one step', 'user ' || u.id,
    format('merged into %s, which is merged into %s', u.merged_into, next.merged_into),
    u.id, null
  from accounts u
  join public.users next on next.id = u.merged_into
  where next.merged_into is not null

  union all
  select 'no order, reference, adjustment or identity belongs to a merged account', owned.subject,
    format('user %s is merged into %s', u.id, u.merged_into),
    u.id, null
  from accounts u
  join (
    select 'order ' || o.id, o.user_id from public.payment_orders o
    union all
    select 'identity ' || i.value, i.user_id from public.identities i
    union all
    select 'reference ' || r.reference_id, r.user_id from public.order_references r
    union all
    select 'adjustment ' || a.reference_id, a.user_id from public.adjustments a
  ) owned (subject, user_id) on owned.user_id = u.id
  where u.merged_into is not null

  union all
  select 'a debt is the sum of what is owed, and is paid while there are credits that are not reserved',
    'user ' || u.id,
    format('debt %s, owed %s, balance %s, reserved %s', u.debt_credits, sum(u.credits_owed),
      u.credits, u.held_credits),
    u.id, null
  from (
    select u.*, 0 as credits_owed from accounts u
    union all
    select u.*, r.credits_owed
    from accounts u
    join public.payment_orders o on o.user_id = u.id
    join public.payments p on p.order_id = o.id
    join public.payment_reversals r on r.payment_id = p.id
    where r.credits_owed > 0
    union all
    select u.*, a.credits_owed
    from accounts u
    join public.adjustments a on a.user_id = u.id
    where a.credits_owed > 0
  ) u
  group by u.id, u.debt_credits, u.credits, u.held_credits
  having u.debt_credits <> sum(u.credits_owed)
    or u.debt_credits > 0 and u.credits > u.held_credits;
end;
$$;

comment on function private.check_accounts is
  'Part of check_scope. Reads the users of user_ids and what belongs to them.';
