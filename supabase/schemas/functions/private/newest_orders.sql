-- Finds the newest orders of a customer.
create function private.newest_orders(user_id uuid)
returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select o.order_id from private.orders_of_customer(newest_orders.user_id) o
    order by o.created_at desc
    limit 20
  );
end;
$$;

comment on function private.newest_orders is
  'Part of find_customers and get_customer. At most 20, newest first.';
