-- What is recorded about an operator's action.
create function private.action_details(deed public.operator_actions)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'action_id', (deed).id,
    'created_at', (deed).created_at,
    'action', (deed).action,
    'operator', (deed).operator,
    'reason', (deed).reason,
    'outcome', (deed).outcome,
    'reference_id', (deed).reference_id,
    'user_id', (deed).user_id,
    'order_id', (deed).order_id,
    'payment_id', (deed).payment_id,
    'request', (deed).request,
    'before', (deed).before,
    'after', (deed).after,
    'result', (deed).result,
    'completes_action_id', (deed).completes
  );
end;
$$;

comment on function private.action_details is
  'Part of find_customers, get_customer and list_actions_taken.';
