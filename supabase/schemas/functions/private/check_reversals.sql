-- Looks for refunds and disputes that took more or fewer credits than money.
create function private.check_reversals(order_ids uuid[])
returns table (invariant text, subject text, detail text, user_id uuid, order_id uuid)
language plpgsql
stable
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
begin
  return query
  with orders as not materialized (
    select o.* from public.payment_orders o where check_reversals.order_ids is null
    union all
    select o.*
    from unnest(check_reversals.order_ids) c (id)
    join public.payment_orders o on o.id = c.id
  )
  select 'reversals take back what went back, and no more', 'payment ' || p.id,
    format('granted %s, taken %s, %s of %s paise gone', p.credits_granted,
      coalesce(sum(r.credits_taken), 0),
      coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0), p.amount_paise),
    null::uuid, p.order_id
  from orders o
  join public.payments p on p.order_id = o.id
  left join public.payment_reversals r on r.payment_id = p.id
  group by p.id, o.razorpay_payment_id
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
      r.credits_forgiven,
      coalesce(sum(case t.action when 'debit' then t.credits else -t.credits end), 0)),
    null, o.id
  from orders o
  join public.payments p on p.order_id = o.id
  join public.payment_reversals r on r.payment_id = p.id
  left join (
    public.credit_transactions t
    join public.users u on u.id = t.user_id
  )
    on t.source in ('refund', 'dispute')
      and t.reference_id = r.id and t.source = r.kind
      and coalesce(u.merged_into, u.id) = o.user_id
  group by r.id, o.id
  having r.credits_taken - r.credits_owed - r.credits_forgiven
    <> coalesce(sum(case t.action when 'debit' then t.credits else -t.credits end), 0);
end;
$$;

comment on function private.check_reversals is
  'Part of check_scope. Reads the reversals of the payments of order_ids, and their entries.';
