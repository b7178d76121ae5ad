-- Looks for payments that bought more or less than they paid for.
create function private.check_payments(order_ids uuid[])
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
    select o.id from public.payment_orders o where check_payments.order_ids is null
    union all
    select c.id from unnest(check_payments.order_ids) c (id)
  ),
  money as materialized (
    select
      p.*,
      -- The money that we hold, computed independently of private.net_paise, which decided about the
      -- credits.
      case
        -- It was reported as refunded before any refund was known that explains it.
        when p.status = 'refunded' and p.credits_granted = 0
          and p.amount_paise > coalesce(
            sum(r.amount_paise) filter (where r.kind = 'refund' and r.status <> 'pending'), 0
          ) then 0
        when p.status in ('captured', 'refunded') then
          greatest(
            p.amount_paise - coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0), 0
          )
        else 0
      end as net_paise
    from orders o
    join public.payments p on p.order_id = o.id
    left join public.payment_reversals r on r.payment_id = p.id
    group by p.id
  )
  select 'every grant is in the ledger, with the balance that it left', 'payment ' || p.id,
    format('granted %s and left %s', p.credits_granted, p.balance_after_grant),
    null::uuid, p.order_id
  from money p
  left join public.credit_transactions grant_entry
    on grant_entry.source = 'payment' and grant_entry.reference_id = p.id
  where p.credits_granted > 0
    and p.balance_after_grant is distinct from grant_entry.balance_after
    -- What was left may be counted after the debts and the reversals that were settled with the grant.
    -- An array, because the few payments that get here should each read the few entries that directly
    -- follow their grant, and never be joined with the ledger.
    and p.balance_after_grant <> all (array(
      select settled.balance_after
      from public.credit_transactions settled
      where settled.user_id = grant_entry.user_id
        and settled.sequence_number > grant_entry.sequence_number
        and settled.sequence_number < coalesce(
          (
            select other.sequence_number
            from public.credit_transactions other
            where other.user_id = grant_entry.user_id
              and other.sequence_number > grant_entry.sequence_number
              and other.source not in ('refund', 'dispute')
            order by other.sequence_number
            limit 1
          ),
          2147483647
        )
    ))

  union all
  select 'a payment that granted credits had the money', 'payment ' || p.id,
    format('granted %s while %s, order %s grants %s', p.credits_granted, p.status, o.id, o.credits),
    null, o.id
  from money p
  join public.payment_orders o on o.id = p.order_id
  where p.credits_granted > 0
    and (p.credits_granted <> o.credits or p.status not in ('captured', 'refunded'))

  union all
  select 'one payment pays an order, and the others are flagged', 'payment ' || p.id,
    format('%s while %s, order %s is paid by %s', coalesce(p.flag, 'not flagged'), p.status, o.id,
      coalesce(o.razorpay_payment_id, 'none')),
    null, o.id
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
    format('%s paise held, order %s is paid by %s', p.net_paise, p.order_id,
      coalesce(p.payer_id, 'none')),
    null, p.order_id
  from (
    select p.id, p.order_id, p.net_paise, o.razorpay_payment_id,
      o.amount_paise = p.amount_paise and o.currency = p.currency,
      sum(p.net_paise) filter (where p.id = o.razorpay_payment_id) over (partition by o.id)
    from money p
    join public.payment_orders o on o.id = p.order_id
    -- Whoever was erased buys nothing any more.
    where o.erased_at is null
  ) p (id, order_id, net_paise, payer_id, is_of_the_order, payer_net_paise)
  where p.net_paise > 0 and p.is_of_the_order and coalesce(p.payer_net_paise, 0) = 0;
end;
$$;

comment on function private.check_payments is
  'Part of check_scope. Reads the payments of order_ids, their reversals and grants.';
