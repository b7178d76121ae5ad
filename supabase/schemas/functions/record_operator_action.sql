-- Records that an operator settled an order by hand.
create function public.record_operator_action(
  order_id uuid,
  operator text,
  reason text,
  outcome text,
  operator_id uuid default null
)
returns void
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  insert into public.operator_actions (order_id, operator, reason, outcome, operator_id)
  values ($1, $2, $3, $4, $5);
$$;

comment on function public.record_operator_action is
  'For settle-order alone: every other action records itself with private.record_action.';
