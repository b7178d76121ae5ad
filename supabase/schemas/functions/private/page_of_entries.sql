-- Returns a page of an account's entries, newest first, with what an operator needs to know of each.
create function private.page_of_entries(
  user_id uuid,
  page_size integer,
  before_sequence_number integer default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'entries', coalesce(
        jsonb_agg(
          jsonb_build_object(
            'sequence_number', p.sequence_number,
            'created_at', p.created_at,
            'action', p.action,
            'credits', p.credits,
            'source', p.source,
            'reference_id', p.reference_id,
            'balance_after', p.balance_after,
            'remaining_after', p.remaining_after,
            'quantity', p.quantity,
            'price', (
              select jsonb_build_object(
                'unit', a.unit,
                'credits', a.credits,
                'per_quantity', a.per_quantity,
                'minimum_credits', a.minimum_credits
              )
              from public.action_prices a where a.id = p.price_id
            ),
            'payment', case
              when p.source in ('payment', 'refund', 'dispute') then (
                select jsonb_build_object('payment_id', m.id, 'order_id', m.order_id)
                from public.payments m
                where m.id = case p.source
                  when 'payment' then p.reference_id
                  else (
                    select r.payment_id from public.payment_reversals r where r.id = p.reference_id
                  )
                end
              )
            end,
            'merged_user_id', case p.source
              when 'merge' then private.other_account(p.reference_id)
            end
          )
          order by p.sequence_number desc
        ),
        '[]'
      ),
      -- Numbers have no gaps, so the next page starts right below the oldest entry of this one.
      'next_cursor', case when min(p.sequence_number) > 1 then min(p.sequence_number) end
    )
    from (
      select t.* from public.credit_transactions t
      where t.user_id = page_of_entries.user_id
        and t.sequence_number
          < coalesce(page_of_entries.before_sequence_number::bigint, 2147483648)
      order by t.sequence_number desc
      limit page_of_entries.page_size
    ) p
  );
end;
$$;

comment on function private.page_of_entries is
  '{entries, next_cursor}, where next_cursor is null on the last page. price: by which the entry came about. payment: what was bought or returned. merged_user_id: the other account of a merge.';
