-- Reports sales by day, and what the credits were spent on.
create function public.sales_report(first_day date, end_day date)
returns table (days jsonb, actions jsonb)
language plpgsql
stable
security definer
set search_path = ''
set statement_timeout = '4s'
-- How long the period is decides how the tables are best read.
set plan_cache_mode = 'force_custom_plan'
-- As on the disks of today: at 4, the default, all orders are read to report the few of a day.
set random_page_cost = 1.1
as $$
#variable_conflict use_column
declare
  v_max_days constant integer := 400;
  v_days constant integer := sales_report.end_day - sales_report.first_day;
  v_since constant timestamptz := sales_report.first_day::timestamp at time zone 'Asia/Kolkata';
  -- India does not change its clocks, so every day has 24 hours. To count in these takes a third of the
  -- time that it takes to convert every moment.
  v_day constant interval := interval '24 hours';
  v_until constant timestamptz := v_since + v_days * v_day;
begin
  if v_days not between 1 and v_max_days then
    raise exception 'a report is of 1 to % days', v_max_days
      using errcode = 'invalid_parameter_value';
  end if;

  with calendar as materialized (
    select sales_report.first_day + place as date, v_since + place * v_day as day
    from generate_series(0, v_days - 1) place
  ),
  -- A payment that bought nothing is no sale, and its refund takes nothing back from one.
  sales as (
    select date_bin(v_day, p.granted_at, v_since) as day, o.key_mode,
      count(*) as paid_orders,
      sum(p.amount_paise) as amount_paise,
      sum(p.credits_granted) as credits_sold
    from public.payments p
    join public.payment_orders o on o.id = p.order_id
    where p.granted_at >= v_since and p.granted_at < v_until
    group by 1, 2
  ),
  reversals as (
    select date_bin(v_day, r.reported_at, v_since) as day, o.key_mode,
      coalesce(sum(r.amount_paise) filter (where r.kind = 'refund'), 0) as refunded_paise,
      coalesce(sum(r.amount_paise) filter (where r.kind = 'dispute'), 0) as lost_paise
    from public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    join public.payment_orders o on o.id = p.order_id
    where r.is_money_gone and r.reported_at >= v_since and r.reported_at < v_until
      and p.credits_granted > 0
    group by 1, 2
  ),
  money as materialized (
    select c.day, m.key_mode, jsonb_build_object(
      'paid_orders', coalesce(s.paid_orders, 0),
      'amount_paise', coalesce(s.amount_paise, 0),
      'credits_sold', coalesce(s.credits_sold, 0),
      'refunded_paise', coalesce(r.refunded_paise, 0),
      'lost_paise', coalesce(r.lost_paise, 0)
    ) as figures
    from calendar c
    cross join (values ('live'), ('test')) m (key_mode)
    left join sales s on s.day = c.day and s.key_mode = m.key_mode
    left join reversals r on r.day = c.day and r.key_mode = m.key_mode
  ),
  charges as materialized (
    select date_bin(v_day, t.created_at, v_since) as day, t.source as action_id,
      count(*) as charges,
      sum(t.quantity) as quantity,
      sum(t.credits) as credits
    from public.credit_transactions t
    where t.created_at >= v_since and t.created_at < v_until
      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
    group by 1, 2
  ),
  spent as (
    select c.action_id, sum(c.charges) as charges, sum(c.quantity) as quantity,
      sum(c.credits) as credits
    from charges c
    group by c.action_id
    order by credits desc, c.action_id
    limit 50
  )
  select
    (
      select jsonb_agg(
        jsonb_build_object(
          'date', c.date,
          'live', live.figures,
          'test', test.figures,
          'charges', coalesce(total.charges, 0),
          'credits_spent', coalesce(total.credits, 0)
        )
        order by c.day
      )
      from calendar c
      join money live on live.day = c.day and live.key_mode = 'live'
      join money test on test.day = c.day and test.key_mode = 'test'
      left join (
        select h.day, sum(h.charges) as charges, sum(h.credits) as credits
        from charges h group by h.day
      ) total on total.day = c.day
    ),
    (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'action', s.action_id,
            'unit', (
              select a.unit from public.action_prices a where a.action_id = s.action_id
              order by a.valid_from desc
              limit 1
            ),
            'charges', s.charges,
            'quantity', coalesce(s.quantity, 0),
            'credits', s.credits,
            'credits_per_day', (
              select jsonb_agg(coalesce(h.credits, 0) order by c.day)
              from calendar c
              left join charges h on h.day = c.day and h.action_id = s.action_id
            )
          )
          order by s.credits desc, s.action_id
        ),
        '[]'
      )
      from spent s
    )
  into days, actions;
  return next;
end;
$$;

comment on function public.sales_report is
  'One row. From first_day until before end_day, days of India, at most 400. days: one for each, with the money of live and of test keys apart: payments that granted credits, on the day of the grant; refunded_paise and lost_paise (disputes) of such payments, on the day when Razorpay reported it. charges and credits_spent: whatever a bot charged for. actions: the 50 that most credits were spent on, with credits_per_day in the order of days; quantity counts only charges that named one.';
