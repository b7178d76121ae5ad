-- Finds what operators did to a customer.
create function private.actions_on_customer(user_id uuid)
returns table (action_id bigint)
language plpgsql
stable
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  -- The record names the account as it was then, which may have been merged since.
  select a.id from public.operator_actions a
  where a.user_id = any (array(
    select u.id from public.users u
    where u.id = actions_on_customer.user_id or u.merged_into = actions_on_customer.user_id
  ))
  union
  -- What is done about an order does not always name its customer.
  select a.id from public.operator_actions a
  where a.order_id = any (array(
    select o.order_id from private.orders_of_customer(actions_on_customer.user_id) o
  ));
end;
$$;

comment on function private.actions_on_customer is
  'Those on the account, on the accounts that were merged into it, and on its orders.';
