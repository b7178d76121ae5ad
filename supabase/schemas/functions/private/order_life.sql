-- What an operator can know about an order, with what became of each payment.
create function private.order_life(order_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.order_summary(o) || jsonb_build_object(
      'package_name', o.package_name,
      'key_mode', o.key_mode,
      'razorpay_payment_link_id', o.razorpay_payment_link_id,
      'razorpay_payment_id', o.razorpay_payment_id,
      'tried_at', o.tried_at,
      'checked_at', o.checked_at,
      'next_check_at', case when isfinite(o.next_check_at) then o.next_check_at end,
      'erased_at', o.erased_at,
      'reference_ids', coalesce((
        select jsonb_agg(r.reference_id order by r.created_at)
        from (
          select r.reference_id, r.created_at from public.order_references r
          where r.order_id = o.id
          order by r.created_at
          limit 20
        ) r
      ), '[]'),
      'payments', coalesce((
        select jsonb_agg(private.payment_life(p) order by p.created_at desc)
        from (
          select p.* from public.payments p
          where p.order_id = o.id
          order by p.created_at desc
          limit 20
        ) p
      ), '[]')
    )
    from public.payment_orders o
    where o.id = order_life.order_id
  );
end;
$$;

comment on function private.order_life is
  'Part of get_customer. The newest 20 payments, and the first 20 references.';
