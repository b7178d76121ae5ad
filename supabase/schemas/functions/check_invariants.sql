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
      and other.reference_id = case t.action
        when 'debit' then replace(left(t.reference_id, -36), 'into', 'from')
        else replace(left(t.reference_id, -36), 'from', 'into')
      end || t.user_id
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
