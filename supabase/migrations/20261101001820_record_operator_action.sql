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
-- The tables are closed to every role; only this function's owner may write them.
security definer
set search_path = ''
as $$
  insert into public.operator_actions (order_id, operator, reason, outcome)
  values ($1, $2, $3, $4);
$$;

comment on function public.record_operator_action(uuid, text, text, text) is
  'Append-only: an action cannot be taken back from the record.';

revoke execute on function public.record_operator_action(uuid, text, text, text)
  from public, anon, authenticated;
grant execute on function public.record_operator_action(uuid, text, text, text) to service_role;
