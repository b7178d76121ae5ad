-- What an operator needs to know about a customer.
create function private.customer_details(account public.users)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.customer_profile(account) || jsonb_build_object(
    'entries', private.page_of_entries((account).id, 20) -> 'entries',
    'holds', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'reference_id', h.reference_id,
          'action', h.action_id,
          'credits', h.credits,
          'created_at', h.created_at,
          'expires_at', h.expires_at
        )
        order by h.expires_at
      ), '[]')
      from (
        select h.* from public.holds h
        where h.user_id = (account).id and h.state = 'open' and h.expires_at > clock_timestamp()
        order by h.expires_at
        limit 50
      ) h
    ),
    'orders', (
      select coalesce(jsonb_agg(private.order_details(o.id) order by o.place), '[]')
      from unnest(private.newest_orders((account).id)) with ordinality o (id, place)
    ),
    'actions', (
      select coalesce(jsonb_agg(private.action_details(a) order by a.id desc), '[]')
      from (
        select a.* from public.operator_actions a
        where a.user_id = (account).id
        order by a.id desc
        limit 20
      ) a
    )
  );
end;
$$;

comment on function private.customer_details is
  'Part of find_customers. The newest 20 of everything that grows, and the 50 holds that expire next.';
