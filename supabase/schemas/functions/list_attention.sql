-- Lists what needs an operator's attention.
create function public.list_attention()
returns table (
  kind text,
  subject text,
  since timestamptz,
  detail text,
  remedy text,
  user_id uuid,
  order_id uuid,
  payment_id text,
  reference_id text,
  amount_paise integer,
  events_from timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  -- Every branch reads a partial index of the few rows that may need attention, never a whole table.
  select 'flagged payment', p.id, p.created_at,
    format('%s: %s paise of order %s bought nothing; refund them', p.flag, p.amount_paise, p.order_id),
    'refund-payment', coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id)),
    o.id, p.id, null::text, (p.amount_paise - returned.paise)::integer, null::timestamptz
  from public.payments p
  join public.payment_orders o on o.id = p.order_id
  cross join lateral (
    select coalesce(sum(r.amount_paise), 0) as paise from public.payment_reversals r
    where r.payment_id = p.id and r.is_money_gone
  ) returned
  where p.flag is not null and p.amount_paise > returned.paise

  union all
  select 'debt', coalesce(u.phone_number, u.id::text), min(d.created_at),
    format('%s credits were spent before they were taken back', u.debt_credits),
    'forgive-debt', u.id, null, null, null, null, null
  from private.debts d
  join public.users u on u.id = d.user_id
  -- Whoever was erased will never have the credits to pay it.
  where u.erased_at is null
  group by u.id

  union all
  select 'unfinished refund', a.reference_id, a.created_at,
    format('%s asked Razorpay to refund %s paise of %s, and what came of it is not known; ask again with '
      'the same reference', a.operator, a.after ->> 'amount_paise', a.payment_id),
    'refund-payment', a.user_id, a.order_id, a.payment_id, a.reference_id,
    -- As it was asked for, because only the same request is a repeated one.
    (a.request ->> 'amount_paise')::integer, null
  from public.operator_actions a
  where a.outcome = 'asked'
    and a.created_at < statement_timestamp() - interval '1 minute'
    and not exists (select from public.operator_actions c where c.completes = a.id)

  union all
  select 'open order', o.id::text, o.created_at,
    format('%s paise by %s since %s, last tried payment %s', o.amount_paise, o.channel, o.created_at,
      tried.id || ' ' || tried.status),
    'settle-order', private.find_user_id(o.phone_number, o.whatsapp_user_id), o.id, tried.id, null,
    o.amount_paise, null
  from public.payment_orders o
  left join lateral (
    select p.id, p.status from public.payments p where p.order_id = o.id
    order by p.created_at desc
    limit 1
  ) tried on true
  where o.state = 'open' and o.tried_at is not null and o.next_check_at is not null
    and o.erased_at is null
    and o.created_at < statement_timestamp() - interval '15 minutes'

  union all
  select 'failed delivery', d.id::text, d.received_at,
    format('%s %s: %s', d.event, d.event_id, coalesce(d.outcome, 'cut off')),
    case when o.id is not null then 'settle-order' end,
    coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id)), o.id,
    d.razorpay_payment_id, null, null, null
  from (
    select f.* from public.webhook_deliveries f where f.outcome = 'failed'
    union all
    select f.* from public.webhook_deliveries f
    where f.outcome is null and f.received_at < statement_timestamp() - interval '1 minute'
  ) d
  left join public.payment_orders o on o.id = coalesce(
    (select n.id from public.payment_orders n where n.razorpay_order_id = d.razorpay_order_id),
    (select p.order_id from public.payments p where p.id = d.razorpay_payment_id)
  )
  -- Superseded by a later successful delivery, unless it came without an id.
  where not exists (
    select from public.webhook_deliveries later
    where later.event_id = d.event_id and later.event_id <> '' and later.id > d.id
      and later.outcome <> 'failed'
  )

  union all
  select 'payment of no order', d.razorpay_payment_id, min(d.received_at),
    format('captured with this key''s account for Razorpay order %s, which is not ours; refund it',
      coalesce(max(d.razorpay_order_id), 'none')),
    null, null, null, d.razorpay_payment_id, null, null, null
  from public.webhook_deliveries d
  where d.outcome = 'not_ours'
    and d.received_at > statement_timestamp() - interval '30 days'
    and d.event in ('payment.captured', 'order.paid', 'payment_link.paid')
    and d.razorpay_payment_id is not null
    -- Booked after all, or already being returned.
    and not exists (select from public.payments p where p.id = d.razorpay_payment_id)
    and not exists (
      select from public.webhook_deliveries refund
      where refund.razorpay_payment_id = d.razorpay_payment_id and refund.event = 'refund.processed'
    )
  group by d.razorpay_payment_id

  union all
  select 'limit reached', c.action, c.window_ends_at - make_interval(secs => l.window_seconds),
    format('%s of at most %s for everybody together, until %s', c.count, l.max_count,
      c.window_ends_at),
    null, null, null, null, null, null, null
  from public.rate_limits l
  join public.rate_counters c on c.action = l.action and c.scope = l.scope and c.subject = 'all'
  where l.scope = 'project' and c.count >= l.max_count and c.window_ends_at > statement_timestamp()

  union all
  select 'broken invariant', v.subject, v.found_at, format('%s: %s', v.invariant, v.detail),
    null, v.user_id, v.order_id, null, null, null, null
  from public.book_violations v
  where v.gone_at is null

  union all
  select 'books unchecked', 'books', c.complete_until, 'no run has checked what was written since',
    null, null, null, null, null, null, null
  from (select b.complete_until from public.book_checks b order by b.id desc limit 1) c
  where c.complete_until < statement_timestamp() - interval '1 hour'

  union all
  select 'expired holds', 'every user', min(h.expires_at),
    format('%s of %s users have not been ended, first that of user %s: reconcile-payments fails, or '
      'nobody calls it, or the database''s log says why', count(*), count(distinct h.user_id),
      (array_agg(h.user_id order by h.expires_at))[1]),
    null, (array_agg(h.user_id order by h.expires_at))[1], null, null, null, null, null
  from public.holds h
  where h.state = 'open' and h.expires_at < statement_timestamp() - interval '15 minutes'
  having count(*) > 0

  union all
  select 'undelivered events', private.shown_address(a.url),
    least(a.paused_at, a.failing_since, dead.since),
    concat_ws('; ',
      case when a.paused_at is not null
        then format('it answered 410 and is sent nothing more: %s wait', waiting.count) end,
      case when a.paused_at is null and a.failures > 0
        then format('the last %s attempts failed (%s): %s wait', a.failures, a.last_failure, waiting.count)
      end,
      case when dead.count > 0 then format('%s were given up after three days', dead.count) end,
      'resend-events sends them again'
    ),
    -- One that is down is sent to again by itself.
    case when a.paused_at is not null or dead.count > 0 then 'resend-events' end,
    null, null, null, null, null, coalesce(dead.events_from, a.paused_at)
  from public.event_addresses a
  cross join lateral (
    select count(*) as count, min(d.finished_at) as since, min(e.created_at) as events_from
    from public.event_deliveries d
    join public.events e on e.id = d.event_id
    where d.address_id = a.id and d.state = 'dead'
  ) dead
  cross join lateral (
    select count(*) as count
    from public.event_deliveries d where d.address_id = a.id and d.state = 'pending'
  ) waiting
  where a.removed_at is null and (
    a.paused_at is not null
    or a.failing_since < statement_timestamp() - interval '15 minutes' and waiting.count > 0
    or dead.count > 0
  )

  union all
  select 'undelivered events', 'every address', min(e.created_at),
    format('%s wait to be handed out: deliver-events fails, or nobody calls it', count(*)),
    null, null, null, null, null, null, null
  from public.events e
  where e.state = 'new' and e.created_at < statement_timestamp() - interval '15 minutes'
    -- Without an address, events only wait for one.
    and exists (select from public.event_addresses a where a.removed_at is null)
  having count(*) > 0

  order by 3;
$$;

comment on function public.list_attention is
  'remedy: the Edge Function that helps, null if none does by itself. user_id, order_id, payment_id, reference_id (of a refund): what it is about. amount_paise: of the refund or the order; of an unfinished refund, null if all that was left was asked for. events_from: since when events have to be sent again. kind: flagged payment (call refund-payment); debt; unfinished refund (call refund-payment again with the same reference); open order (older than 15 minutes, still watched, and somebody tried to pay it); failed delivery; payment of no order (captured money that belongs to no order of ours: until it is booked or refunded, for 30 days); undelivered events (per address: paused by 410, failing for 15 minutes, or given up; or not handed out for 15 minutes); limit reached (a limit for everybody together, until its window ends); broken invariant (found by run_book_check, until it is found no more); books unchecked (run_book_check fails or is no longer called); expired holds (expire_holds fails for somebody or is no longer called, for 15 minutes).';
