-- Records what an operator did.
create function private.record_action(
  action text,
  operator text,
  reason text,
  outcome text default 'done',
  reference_id text default null,
  request jsonb default null,
  user_id uuid default null,
  order_id uuid default null,
  payment_id text default null,
  before jsonb default null,
  after jsonb default null,
  result jsonb default null,
  completes bigint default null,
  operator_id uuid default null
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.operator_actions
    (action, operator, reason, outcome, reference_id, request, user_id, order_id, payment_id, before,
      after, result, completes, operator_id)
  values (record_action.action, record_action.operator, record_action.reason, record_action.outcome,
    record_action.reference_id, record_action.request, record_action.user_id, record_action.order_id,
    record_action.payment_id, record_action.before, record_action.after, record_action.result,
    record_action.completes, record_action.operator_id);
end;
$$;

comment on function private.record_action is
  'In the transaction of the action itself, after private.repeated_action has found nothing.';
