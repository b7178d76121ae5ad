-- Looks for payments that bought more or less than they paid for.
create function private.check_payments()
returns table (invariant text, subject text, detail text)
language sql
stable
set search_path = ''
as $$
  with money as (
    select
      p.*,
      -- The money that we hold, computed independently of private.net_paise, which decided about the
      -- credits.
      case
        -- It was reported as refunded before any refund was known that explains it.
        when p.status = 'refunded' and p.credits_granted = 0
          and p.amount_paise > coalesce(r.refund_paise, 0) then 0
        when p.status in ('captured', 'refunded') then
          greatest(p.amount_paise - coalesce(r.gone_paise, 0), 0)
        else 0
      end as net_paise
    from public.payments p
    left join (
      select r.payment_id,
        sum(r.amount_paise) filter (where r.is_money_gone) as gone_paise,
        sum(r.amount_paise) filter (where r.kind = 'refund' and r.status <> 'pending')
          as refund_paise
      from public.payment_reversals r
      group by r.payment_id
    ) r on r.payment_id = p.id
  ),
  -- The entries that grants and their consequences write, numbered so that entries that directly follow
  -- a grant can be told from later ones.
  settled as (
    select t.user_id, t.source, t.reference_id, t.sequence_number, t.balance_after,
      t.sequence_number - row_number() over history as offset_of_place,
      count(*) filter (where t.source = 'payment') over history as grants_so_far
    from public.credit_transactions t
    where t.source in ('payment', 'refund', 'dispute')
    window history as (partition by t.user_id order by t.sequence_number)
  )
  select 'every payment entry belongs to a payment of a paid order', 'entry ' || t.id,
    format('reference %s', t.reference_id)
  from public.credit_transactions t
  join public.users u on u.id = t.user_id
  left join public.payments p on p.id = t.reference_id and p.credits_granted = t.credits
  left join public.payment_orders o
    -- The user of a paid order: others have none.
    on o.id = p.order_id
      and o.user_id = coalesce(u.merged_into, u.id)
      and o.amount_paise = p.amount_paise and o.currency = p.currency
  where t.source = 'payment' and o.id is null

  union all
  select 'every grant is in the ledger, with the balance that it left', 'payment ' || p.id,
    format('granted %s and left %s', p.credits_granted, p.balance_after_grant)
  from public.payments p
  where p.credits_granted > 0 and not exists (
    select from settled grant_entry
    -- What was left may be counted after the debts and the reversals that were settled with the grant.
    join settled final
      on final.user_id = grant_entry.user_id
        and final.grants_so_far = grant_entry.grants_so_far
        and final.offset_of_place = grant_entry.offset_of_place
    where grant_entry.source = 'payment' and grant_entry.reference_id = p.id
      and final.balance_after = p.balance_after_grant
  )

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
  from money p
  join public.payment_orders o on o.id = p.order_id
  where case
    when p.id = o.razorpay_payment_id then p.flag is not null
    -- Money that came and went needs no flag as long as nothing is paid.
    else p.flag is null and p.status in ('captured', 'refunded')
      and (o.state = 'paid' or p.net_paise > 0)
  end

  union all
  select 'an order is paid where money for it is here', 'payment ' || p.id,
    format('%s paise held, order %s is paid by %s', p.net_paise, o.id,
      coalesce(o.razorpay_payment_id, 'none'))
  from money p
  join public.payment_orders o
    on o.id = p.order_id and o.amount_paise = p.amount_paise and o.currency = p.currency
  left join money payer on payer.id = o.razorpay_payment_id
  where p.net_paise > 0 and coalesce(payer.net_paise, 0) = 0
    -- Whoever was erased buys nothing any more.
    and o.erased_at is null;
$$;

comment on function private.check_payments is
  'Part of check_invariants.';
