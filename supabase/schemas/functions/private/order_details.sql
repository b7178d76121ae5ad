-- What an operator needs to know about an order.
create function private.order_details(order_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.order_summary(o) || jsonb_build_object(
      'payments', coalesce((
        select jsonb_agg(private.payment_summary(p) order by p.created_at desc)
        from (
          select p.* from public.payments p
          where p.order_id = o.id
          order by p.created_at desc
          limit 20
        ) p
      ), '[]')
    )
    from public.payment_orders o
    where o.id = order_details.order_id
  );
end;
$$;

comment on function private.order_details is
  'Part of find_customers. The newest 20 payments: an order may see any number of failed ones.';
