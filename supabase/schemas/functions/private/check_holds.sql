-- Looks for holds that contradict their users or the ledger.
create function private.check_holds(since timestamptz, before timestamptz, user_ids uuid[])
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
    select u.* from public.users u where check_holds.user_ids is null
    union all
    select u.*
    from unnest(check_holds.user_ids) c (id)
    join public.users u on u.id = c.id
  ),
  holds as not materialized (
    select h.* from public.holds h where check_holds.user_ids is null
    union all
    select h.*
    from unnest(check_holds.user_ids) c (id)
    join public.holds h on h.user_id = c.id
    where check_holds.since is null
    union all
    select h.*
    from unnest(check_holds.user_ids) c (id)
    join public.holds h on h.user_id = c.id and h.state = 'open'
    where check_holds.since is not null
    union all
    select h.* from public.holds h
    where h.ended_at >= check_holds.since and h.ended_at < check_holds.before
  )
  select 'a user has reserved what the open holds hold', 'user ' || u.id,
    format('%s credits in %s holds until %s, and the holds say %s in %s until %s', u.held_credits,
      u.open_holds, coalesce(u.next_hold_expiry_at::text, 'never'), coalesce(o.credits, 0),
      coalesce(o.holds, 0), coalesce(o.next_expiry_at::text, 'never')),
    u.id, null::uuid
  from accounts u
  left join (
    select h.user_id, sum(h.credits) as credits, count(*) as holds,
      min(h.expires_at) as next_expiry_at
    from holds h
    where h.state = 'open'
    group by h.user_id
  ) o on o.user_id = u.id
  where u.held_credits <> coalesce(o.credits, 0)
    or u.open_holds <> coalesce(o.holds, 0)
    -- Earlier is allowed: it makes calls look, and find nothing.
    or u.next_hold_expiry_at > o.next_expiry_at

  union all
  select 'what was captured is in the ledger',
    format('hold %s of user %s', h.reference_id, h.user_id),
    format('captured %s credits for %s at price %s', h.captured_credits, h.action_id, h.price_id),
    h.user_id, null
  from holds h
  left join public.credit_transactions t
    on t.user_id = h.user_id
      -- As in the index one_charge_per_reference.
      and hashtextextended(t.reference_id, 0) = hashtextextended(h.reference_id, 0)
      and t.reference_id is not null
      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
      and t.reference_id = h.reference_id
      and t.credits = h.captured_credits
      and t.source = h.action_id
      and t.price_id = h.price_id
      and (t.quantity is null) = (h.quantity is null)
  where h.state = 'captured' and t.user_id is null

  union all
  select 'what is reserved has not been charged',
    format('hold %s of user %s', h.reference_id, h.user_id),
    format('charged %s credits to user %s', t.credits, t.user_id),
    h.user_id, null
  from holds h
  cross join lateral (
    select h.user_id union all select m.id from public.users m where m.merged_into = h.user_id
  ) account (id)
  join public.credit_transactions t
    on t.user_id = account.id
      and hashtextextended(t.reference_id, 0) = hashtextextended(h.reference_id, 0)
      and t.reference_id is not null
      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
  where h.state = 'open'

  union all
  select 'a merged account reserves nothing',
    format('hold %s of user %s', h.reference_id, h.user_id),
    format('merged into %s', u.merged_into),
    h.user_id, null
  from accounts u
  join holds h on h.user_id = u.id
  where h.state = 'open' and u.merged_into is not null

  union all
  select 'a user knows whether another account was merged into it', 'user ' || u.id,
    format('%s, %s accounts', case when u.has_merged then 'yes' else 'no' end, m.accounts),
    u.id, null
  from accounts u
  cross join lateral (
    select count(*) as accounts from public.users m where m.merged_into = u.id
  ) m
  -- The accounts that were merged into one follow it when it is merged itself.
  where u.merged_into is null and u.has_merged <> (m.accounts > 0);
end;
$$;

comment on function private.check_holds is
  'Part of check_scope. Reads the holds of user_ids: all of them or, with since, those that are open; and those that ended in that time.';
