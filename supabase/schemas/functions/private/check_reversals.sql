-- Looks for refunds and disputes that took more or fewer credits than money.
create function private.check_reversals()
returns table (invariant text, subject text, detail text)
language sql
stable
set search_path = ''
as $$
  with entries as (
    select t.reference_id, t.source, coalesce(u.merged_into, u.id) as user_id,
      sum(case t.action when 'debit' then t.credits else -t.credits end) as credits
    from public.credit_transactions t
    join public.users u on u.id = t.user_id
    where t.source in ('refund', 'dispute')
    group by t.reference_id, t.source, coalesce(u.merged_into, u.id)
  )
  select 'reversals take back what went back, and no more', 'payment ' || p.id,
    format('granted %s, taken %s, %s of %s paise gone', p.credits_granted,
      coalesce(sum(r.credits_taken), 0),
      coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0), p.amount_paise)
  from public.payments p
  join public.payment_orders o on o.id = p.order_id
  left join public.payment_reversals r on r.payment_id = p.id
  group by p.id, o.id
  having coalesce(sum(r.credits_taken), 0) <> case
    when p.id = o.razorpay_payment_id then
      p.credits_granted::bigint
        * least(
            p.amount_paise::bigint,
            coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0)
          )
        / p.amount_paise
    -- It paid the order once, until another payment took over, and keeps nothing of what it bought.
    else p.credits_granted
  end

  union all
  select 'the ledger holds what a reversal took', 'reversal ' || r.id,
    format('taken %s, owed %s, forgiven %s, ledger %s', r.credits_taken, r.credits_owed,
      r.credits_forgiven, coalesce(e.credits, 0))
  from public.payment_reversals r
  join public.payments p on p.id = r.payment_id
  join public.payment_orders o on o.id = p.order_id
  left join entries e
    on e.reference_id = r.id and e.source = r.kind and e.user_id = o.user_id
  where r.credits_taken - r.credits_owed - r.credits_forgiven <> coalesce(e.credits, 0)

  union all
  select 'every entry of a reversal belongs to one', 'entry ' || t.id,
    format('reference %s', t.reference_id)
  from public.credit_transactions t
  left join public.payment_reversals r on r.id = t.reference_id and r.kind = t.source
  where t.source in ('refund', 'dispute') and r.id is null;
$$;

comment on function private.check_reversals is
  'Part of check_invariants.';
