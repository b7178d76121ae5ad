-- Finds every order that has to do with some users.
create function private.orders_of(user_ids uuid[])
returns uuid[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  return array(
    select o.id from public.payment_orders o where o.user_id = any (orders_of.user_ids)
    union
    select r.order_id from public.order_references r where r.user_id = any (orders_of.user_ids)
    union
    select o.id
    from public.identities i
    join public.payment_orders o on o.phone_number = i.value
    where i.user_id = any (orders_of.user_ids) and i.kind = 'phone'
    union
    select o.id
    from public.identities i
    join public.payment_orders o on o.whatsapp_user_id = i.value
    where i.user_id = any (orders_of.user_ids) and i.kind = 'whatsapp_user_id'
    union
    select p.order_id
    from public.credit_transactions t
    join public.payments p on p.id = t.reference_id
    where t.user_id = any (orders_of.user_ids) and t.source = 'payment'
    union
    select p.order_id
    from public.credit_transactions t
    join public.payment_reversals r on r.id = t.reference_id
    join public.payments p on p.id = r.payment_id
    where t.user_id = any (orders_of.user_ids) and t.source in ('refund', 'dispute')
  );
end;
$$;

comment on function private.orders_of is
  'Those that they paid, that are for one of their identities or references, or that their entries are about.';
