-- Records that an operator had an order settled by hand.
create function public.record_operator_action(
  order_id uuid,
  operator text,
  reason text,
  outcome text
)
returns void
language sql
volatile
security definer
set search_path = ''
as $$
  insert into public.operator_actions (order_id, operator, reason, outcome)
  values ($1, $2, $3, $4);
$$;

comment on function public.record_operator_action is
  'Append-only: an action cannot be taken back from the record.';
