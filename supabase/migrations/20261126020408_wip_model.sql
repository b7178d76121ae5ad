-- The books are also checked for holds, prices and what remains after an entry.
--
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

CREATE OR REPLACE FUNCTION private.check_holds()
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text
  )
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  with charges as (
    select t.*, coalesce(u.merged_into, u.id) as current_user_id
    from public.credit_transactions t
    join public.users u on u.id = t.user_id
    where t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
  )
  select 'a user has reserved what the open holds hold', 'user ' || u.id,
    format('%s credits in %s holds until %s, and the holds say %s in %s until %s', u.held_credits,
      u.open_holds, coalesce(u.next_hold_expiry_at::text, 'never'), coalesce(sum(h.credits), 0),
      count(h.user_id), coalesce(min(h.expires_at)::text, 'never'))
  from public.users u
  left join public.holds h on h.user_id = u.id and h.state = 'open'
  group by u.id
  having u.held_credits <> coalesce(sum(h.credits), 0)
    or u.open_holds <> count(h.user_id)
    -- Earlier is allowed: it makes calls look, and find nothing.
    or u.next_hold_expiry_at > min(h.expires_at)

  union all
  select 'what was captured is in the ledger', format('hold %s of user %s', h.reference_id, h.user_id),
    format('captured %s credits for %s at price %s', h.captured_credits, h.action_id, h.price_id)
  from public.holds h
  left join charges c
    on c.user_id = h.user_id
      and c.reference_id = h.reference_id
      and c.credits = h.captured_credits
      and c.source = h.action_id
      and c.price_id = h.price_id
      and (c.quantity is null) = (h.quantity is null)
  where h.state = 'captured' and c.user_id is null

  union all
  select 'what is reserved has not been charged', format('hold %s of user %s', h.reference_id, h.user_id),
    format('charged %s credits to user %s', c.credits, c.user_id)
  from public.holds h
  join charges c on c.current_user_id = h.user_id and c.reference_id = h.reference_id
  where h.state = 'open'

  union all
  select 'a merged account reserves nothing', format('hold %s of user %s', h.reference_id, h.user_id),
    format('merged into %s', u.merged_into)
  from public.holds h
  join public.users u on u.id = h.user_id
  where h.state = 'open' and u.merged_into is not null

  union all
  select 'a user knows whether another account was merged into it', 'user ' || u.id,
    format('%s, %s accounts', case when u.has_merged then 'yes' else 'no' end, count(m.id))
  from public.users u
  left join public.users m on m.merged_into = u.id
  -- The accounts that were merged into one follow it when it is merged itself.
  where u.merged_into is null
  group by u.id
  having u.has_merged <> (count(m.id) > 0)

  union all
  -- Entries from before there were prices have none.
  select 'a charge has a price of its action', 'entry ' || c.id,
    format('price %s of %s, charged for %s', c.price_id, coalesce(p.action_id, 'nothing'), c.source)
  from charges c
  left join public.action_prices p on p.id = c.price_id
  where c.price_id is not null and p.action_id is distinct from c.source
    or c.price_id is null and c.quantity is not null

  union all
  select 'a quantity costs what its price says', 'entry ' || c.id,
    format('%s credits for a quantity of %s, which costs %s', c.credits, c.quantity, priced.credits)
  from charges c
  join public.action_prices p on p.id = c.price_id
  -- Computed independently of private.price_in_credits, which decided about the credits.
  cross join lateral (
    select greatest(
      p.minimum_credits, ceil(c.quantity::numeric / p.per_quantity) * p.credits
    ) as credits
  ) priced
  where c.quantity is not null and c.credits <> priced.credits

  union all
  select 'what remains after an entry is a part of the balance', 'entry ' || t.id,
    format('%s of %s credits', t.remaining_after, t.balance_after)
  from public.credit_transactions t
  where t.remaining_after not between 0 and t.balance_after

  union all
  select 'a source is a word of ours or an action with a price', 'entry ' || c.id,
    format('source %s', c.source)
  from charges c
  where c.source not in (select p.action_id from public.action_prices p);
$function$;

CREATE OR REPLACE FUNCTION public.check_invariants()
  RETURNS TABLE (
    invariant text,
    subject   text,
    detail    text
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  select c.* from private.check_ledger() c
  union all
  select c.* from private.check_accounts() c
  union all
  select c.* from private.check_orders() c
  union all
  select c.* from private.check_payments() c
  union all
  select c.* from private.check_reversals() c
  union all
  select c.* from private.check_holds() c;
$function$;

COMMENT ON FUNCTION "private"."check_holds"() IS 'Part of check_invariants.';

REVOKE ALL ON FUNCTION "private"."check_holds"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_holds"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_holds"() TO "postgres";
