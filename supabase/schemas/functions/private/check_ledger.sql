-- Looks for entries that do not add up.
create function private.check_ledger(
  since timestamptz,
  before timestamptz,
  user_ids uuid[],
  order_ids uuid[]
)
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
    select u.id, u.credits, u.transaction_count, u.is_without_welcome
    from public.users u
    where check_ledger.user_ids is null
    union all
    select u.id, u.credits, u.transaction_count, u.is_without_welcome
    from unnest(check_ledger.user_ids) c (id)
    join public.users u on u.id = c.id
  ),
  -- Read once, by their time alone: together with another condition, the planner may read the whole index
  -- that has the other one.
  new_entries as materialized (
    select t.* from public.credit_transactions t
    where t.created_at >= check_ledger.since and t.created_at < check_ledger.before
  ),
  entries as not materialized (
    select t.* from public.credit_transactions t
    where check_ledger.since is null
      and (check_ledger.user_ids is null or t.user_id = any (check_ledger.user_ids))
    union all
    select n.* from new_entries n where check_ledger.since is not null
  ),
  -- With the entries that belong to changed payments and reversals, however old they are.
  payment_entries as not materialized (
    select t.* from entries t where t.source = 'payment'
    union all
    select t.*
    from unnest(check_ledger.order_ids) c (id)
    join public.payments p on p.order_id = c.id
    join public.credit_transactions t on t.source = 'payment' and t.reference_id = p.id
  ),
  reversal_entries as not materialized (
    select t.* from entries t where t.source in ('refund', 'dispute')
    union all
    select t.*
    from unnest(check_ledger.order_ids) c (id)
    join public.payments p on p.order_id = c.id
    join public.payment_reversals r on r.payment_id = p.id
    join public.credit_transactions t
      on t.source in ('refund', 'dispute') and t.reference_id = r.id
  ),
  -- What a user's row says about the newest entry, next to that entry and any that are newer still.
  ends as materialized (
    select u.id as user_id, u.credits, u.transaction_count, t.sequence_number, t.balance_after
    from accounts u
    left join public.credit_transactions t
      on t.user_id = u.id and t.sequence_number >= u.transaction_count
  ),
  charges as not materialized (
    select t.* from entries t
    where t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
  ),
  merges as not materialized (
    select t.id, t.user_id, t.action, t.credits, t.reference_id,
      private.other_account(t.reference_id) as other_id
    from entries t
    where t.source = 'merge'
  ),
  -- The merges into these accounts, however old they are, and the entry after which to look.
  merges_into as materialized (
    select m.user_id, private.other_account(m.reference_id) as other_id,
      greatest(
        m.sequence_number,
        (
          select older.sequence_number from public.credit_transactions older
          where older.user_id = m.user_id and older.created_at < check_ledger.since
          order by older.sequence_number desc
          limit 1
        )
      ) as last_number
    from accounts u
    join public.credit_transactions m
      on m.user_id = u.id and m.source = 'merge' and m.action = 'credit'
  )
  -- As every entry follows from the one before it, this is the sum of all entries.
  select 'the balance is that after the newest entry', 'user ' || e.user_id,
    format('balance %s, entry %s left %s', e.credits, e.transaction_count,
      coalesce(e.balance_after::text, 'nothing')),
    e.user_id, null::uuid
  from ends e
  where coalesce(e.sequence_number, e.transaction_count) = e.transaction_count
    and e.credits <> coalesce(e.balance_after, 0)

  union all
  select 'the entries are counted', 'user ' || e.user_id,
    format('count %s, newest entry %s', e.transaction_count,
      coalesce(max(e.sequence_number)::text, 'not found')),
    e.user_id, null
  from ends e
  where coalesce(e.sequence_number, 0) <> e.transaction_count
  group by e.user_id, e.transaction_count

  union all
  select 'every entry follows from the one before it', 'entry ' || t.id,
    format('number %s after %s, balance %s after %s and a %s of %s', t.sequence_number,
      coalesce(previous.sequence_number, 0), t.balance_after, coalesce(previous.balance_after, 0),
      t.action, t.credits),
    t.user_id, null
  from entries t
  left join public.credit_transactions previous
    on previous.user_id = t.user_id and previous.sequence_number = t.sequence_number - 1
  where t.balance_after <> case t.sequence_number when 1 then 0 else previous.balance_after end
      + case t.action when 'credit' then t.credits else -t.credits end
    or previous.id is null and t.sequence_number > 1

  union all
  select 'the welcome is given once, first, and to everybody', 'user ' || w.user_id, w.detail,
    w.user_id, null
  from (
    select u.id, format('entry 1 is %s', coalesce(t.source, 'missing'))
    from accounts u
    left join public.credit_transactions t on t.user_id = u.id and t.sequence_number = 1
    where (t.source is not distinct from 'system') = u.is_without_welcome
    union all
    select t.user_id, format('entry %s is another one', t.sequence_number)
    from entries t
    where t.source = 'system' and t.sequence_number > 1
  ) w (user_id, detail)

  union all
  select 'nothing of an erased user names a person', 'entry ' || t.id,
    'its reference was not replaced',
    t.user_id, null
  from entries t
  join public.users u on u.id = t.user_id
  where u.erased_at is not null
    and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
    and t.reference_id not like 'erased %'

  union all
  select 'a merge moves what it takes', 'entry ' || m.id, format('%s %s', m.action, m.reference_id),
    m.user_id, null
  from merges m
  where not exists (
    select from public.credit_transactions other
    where other.source = 'merge'
      and other.user_id = m.other_id
      and other.reference_id = case m.action
        when 'debit' then replace(left(m.reference_id, -36), 'into ', 'from ')
        else replace(left(m.reference_id, -36), 'from ', 'into ')
      end || m.user_id
      and other.credits = m.credits
  )

  union all
  select 'only a merged account gives its credits to another', 'entry ' || m.id,
    format('%s, but user %s is merged into %s', m.reference_id, u.id,
      coalesce(u.merged_into::text, 'none')),
    m.user_id, null
  from merges m
  join public.users u on u.id = m.user_id
  left join public.users other on other.id = m.other_id
  where m.action = 'debit'
    -- The other one may itself have been merged since.
    and u.merged_into is distinct from coalesce(other.merged_into, m.other_id)

  union all
  -- Two accounts may each have charged a reference before they were merged, but never after.
  select 'a reference that a merged account has charged is not charged again', 'entry ' || again.id,
    format('reference %s', again.reference_id),
    again.user_id, null
  from merges_into m
  join public.credit_transactions again
    on again.user_id = m.user_id
      and again.sequence_number > m.last_number
  join public.credit_transactions charged
    on charged.user_id = m.other_id
      -- As in the index one_charge_per_reference.
      and hashtextextended(charged.reference_id, 0) = hashtextextended(again.reference_id, 0)
      and charged.reference_id is not null
      and charged.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
  where again.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')

  union all
  select 'every payment entry belongs to a payment of a paid order', 'entry ' || t.id,
    format('reference %s', t.reference_id),
    t.user_id, null
  from payment_entries t
  join public.users u on u.id = t.user_id
  left join public.payments p on p.id = t.reference_id and p.credits_granted = t.credits
  left join public.payment_orders o
    -- The user of a paid order: others have none.
    on o.id = p.order_id
      and o.user_id = coalesce(u.merged_into, u.id)
      and o.amount_paise = p.amount_paise and o.currency = p.currency
  where o.id is null

  union all
  select 'every entry of a reversal belongs to one', 'entry ' || t.id,
    format('reference %s', t.reference_id),
    t.user_id, null
  from reversal_entries t
  left join public.payment_reversals r on r.id = t.reference_id and r.kind = t.source
  where r.id is null

  union all
  select 'a charge has a price of its action', 'entry ' || c.id,
    format('price %s of %s, charged for %s', c.price_id, coalesce(p.action_id, 'nothing'), c.source),
    c.user_id, null
  from charges c
  left join public.action_prices p on p.id = c.price_id
  -- Entries from before there were prices have none.
  where c.price_id is not null and p.action_id is distinct from c.source
    or c.price_id is null and c.quantity is not null

  union all
  select 'a quantity costs what its price says', 'entry ' || c.id,
    format('%s credits for a quantity of %s, which costs %s', c.credits, c.quantity, priced.credits),
    c.user_id, null
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
  select 'a source is a word of ours or an action with a price', 'entry ' || c.id,
    format('source %s', c.source),
    c.user_id, null
  from charges c
  where c.source not in (select p.action_id from public.action_prices p)

  union all
  select 'prices of an action do not overlap', 'price ' || p.id,
    format('%s has price %s at the same time', p.action_id, other.id),
    -- Nobody's, so every part looks.
    null, null
  from public.action_prices p
  join public.action_prices other
    on other.action_id = p.action_id
      and other.id < p.id
      and tstzrange(p.valid_from, p.valid_until) && tstzrange(other.valid_from, other.valid_until)

  union all
  select 'what remains after an entry is a part of the balance', 'entry ' || t.id,
    format('%s of %s credits', t.remaining_after, t.balance_after),
    t.user_id, null
  from entries t
  where t.remaining_after not between 0 and t.balance_after;
end;
$$;

comment on function private.check_ledger is
  'Part of check_scope. Reads the accounts of user_ids; their whole histories or, with since, the entries of that time; and the entries of the payments of order_ids.';
