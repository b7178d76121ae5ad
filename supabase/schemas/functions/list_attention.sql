-- Lists what needs an operator's attention.
create function public.list_attention()
returns table (kind text, subject text, since timestamptz, detail text)
language sql
stable
security definer
set search_path = ''
as $$
  select 'flagged payment', p.id, p.created_at,
    format('%s: %s paise of order %s bought nothing; refund them', p.flag, p.amount_paise, p.order_id)
  from public.payments p
  left join public.payment_reversals r on r.payment_id = p.id and r.is_money_gone
  where p.flag is not null
  group by p.id
  having coalesce(sum(r.amount_paise), 0) < p.amount_paise

  union all
  select 'debt', coalesce(u.phone_number, u.id::text), min(r.created_at),
    format('%s credits were spent before their money went back', u.debt_credits)
  from public.users u
  join public.payment_orders o on o.user_id = u.id
  join public.payments p on p.order_id = o.id
  join public.payment_reversals r on r.payment_id = p.id and r.credits_owed > 0
  where u.debt_credits > 0
  group by u.id

  union all
  select 'open order', o.id::text, o.created_at,
    format('%s paise by %s since %s', o.amount_paise, o.channel, o.created_at)
  from public.payment_orders o
  where o.state = 'open' and o.created_at < clock_timestamp() - interval '15 minutes'
    and o.next_check_at is not null

  union all
  select 'failed delivery', d.id::text, d.received_at,
    format('%s %s: %s', d.event, d.event_id, coalesce(d.outcome, 'cut off'))
  from public.webhook_deliveries d
  where (d.outcome is null and d.received_at < clock_timestamp() - interval '1 minute'
      or d.outcome = 'failed')
    -- Superseded by a later successful delivery.
    and not exists (
      select from public.webhook_deliveries later
      where later.event_id = d.event_id and later.id > d.id and later.outcome <> 'failed'
    )

  order by 3;
$$;

comment on function public.list_attention is
  'kind: flagged payment (refund it in Razorpay''s dashboard), debt, open order (older than 15 minutes and still watched), failed delivery.';
