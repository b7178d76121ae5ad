-- What an operator sees of an account at a glance.
create function private.customer_profile(account public.users)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
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
    'erased_at', (account).erased_at,
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
    )
  );
end;
$$;

comment on function private.customer_profile is
  'Part of find_customers and get_customer. At most 20 identities and merged accounts.';
