-- Finds the orders of a customer.
create function private.orders_of_customer(user_id uuid)
returns table (order_id uuid, created_at timestamptz)
language plpgsql
stable
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  select o.id, o.created_at from public.payment_orders o
  where o.user_id = orders_of_customer.user_id
  union
  -- Those that are not paid belong to a number or a WhatsApp user id.
  select o.id, o.created_at
  from public.identities i
  join public.payment_orders o on i.kind = 'phone' and o.phone_number = i.value
  where i.user_id = orders_of_customer.user_id and o.user_id is null
  union
  select o.id, o.created_at
  from public.identities i
  join public.payment_orders o on i.kind = 'whatsapp_user_id' and o.whatsapp_user_id = i.value
  where i.user_id = orders_of_customer.user_id and o.user_id is null;
end;
$$;

comment on function private.orders_of_customer is
  'Those that the account has paid, and those that wait for a payment and are for one of its identities.';
