-- What an operator needs to know about a customer.
create function private.customer_details(account public.users)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_orders jsonb;
begin
  select coalesce(jsonb_agg(private.order_details(o.id) order by o.created_at desc), '[]')
  into v_orders
  from (
    select o.id, o.created_at
    from (
      select o.id, o.created_at from public.payment_orders o where o.user_id = (account).id
      union
      -- Those that are not paid belong to a number or a WhatsApp user id.
      select o.id, o.created_at
      from public.identities i
      join public.payment_orders o on i.kind = 'phone' and o.phone_number = i.value
      where i.user_id = (account).id and o.user_id is null
      union
      select o.id, o.created_at
      from public.identities i
      join public.payment_orders o
        on i.kind = 'whatsapp_user_id' and o.whatsapp_user_id = i.value
      where i.user_id = (account).id and o.user_id is null
    ) o
    order by o.created_at desc
    limit 20
  ) o;

  return jsonb_build_object(
    'user_id', (account).id,
    'phone_number', (account).phone_number,
    'created_at', (account).created_at,
    'credits', (account).credits,
    'remaining_credits', private.remaining_credits(account),
    'reserved_credits', private.reserved_credits(account),
    'debt_credits', (account).debt_credits,
    'frozen', (account).frozen_at is not null,
    'frozen_at', (account).frozen_at,
    'flags', to_jsonb(array_remove(array[
      case when (account).frozen_at is not null then 'frozen' end,
      case when (account).debt_credits > 0 then 'debt' end,
      case
        when exists (
          select from public.payment_orders o
          join public.payments p on p.order_id = o.id and p.flag is not null
          where o.user_id = (account).id
        )
        then 'flagged_payment'
      end,
      case
        when exists (
          select from public.operator_actions a
          where a.user_id = (account).id and a.outcome = 'asked'
            and not exists (select from public.operator_actions c where c.completes = a.id)
        )
        then 'unfinished_refund'
      end
    ], null)),
    'identities', (
      select coalesce(jsonb_agg(
        jsonb_build_object('kind', i.kind, 'value', i.value) order by i.kind, i.value
      ), '[]')
      from (
        select i.* from public.identities i
        where i.user_id = (account).id
        order by i.kind, i.value
        limit 20
      ) i
    ),
    'merged_user_ids', (
      select coalesce(jsonb_agg(m.id order by m.id), '[]')
      from (
        select m.id from public.users m where m.merged_into = (account).id order by m.id limit 20
      ) m
    ),
    'entries', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'sequence_number', t.sequence_number,
          'created_at', t.created_at,
          'action', t.action,
          'credits', t.credits,
          'source', t.source,
          'reference_id', t.reference_id,
          'balance_after', t.balance_after
        )
        order by t.sequence_number desc
      ), '[]')
      from (
        select t.* from public.credit_transactions t
        where t.user_id = (account).id
        order by t.sequence_number desc
        limit 20
      ) t
    ),
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
    'orders', v_orders,
    'actions', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'created_at', a.created_at,
          'action', a.action,
          'operator', a.operator,
          'reason', a.reason,
          'outcome', a.outcome,
          'reference_id', a.reference_id
        )
        order by a.id desc
      ), '[]')
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
