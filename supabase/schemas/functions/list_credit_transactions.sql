-- Returns one page of a user's history, newest first.
create function public.list_credit_transactions(
  user_id uuid,
  page_size integer,
  before_sequence_number integer default null,
  proven_phone_number text default null
)
returns table (
  outcome text,
  total integer,
  debt_credits integer,
  next_cursor integer,
  transactions jsonb
)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_total integer;
  v_debt_credits integer;
begin
  -- A caller who has proven a number may read the history of that number only. Anyone else gets the
  -- same result for a user who exists and for one who does not.
  if list_credit_transactions.proven_phone_number is not null
    and list_credit_transactions.user_id
      is distinct from private.find_user_id(list_credit_transactions.proven_phone_number, null)
  then
    return query select 'not_the_owner', 0, 0, null::integer, '[]'::jsonb;
    return;
  end if;

  select u.transaction_count, u.debt_credits into v_total, v_debt_credits from public.users u
  where u.id = list_credit_transactions.user_id and u.erased_at is null;
  if not found then
    return query select 'user_not_found', 0, 0, null::integer, '[]'::jsonb;
    return;
  end if;

  return query
  with page as (
    select t.* from public.credit_transactions t
    where t.user_id = list_credit_transactions.user_id
      and t.sequence_number < coalesce(list_credit_transactions.before_sequence_number, v_total + 1)
    order by t.sequence_number desc
    limit list_credit_transactions.page_size
  )
  select
    'listed',
    v_total,
    v_debt_credits,
    -- Numbers have no gaps, so the next page starts right below the oldest entry of this one.
    case when min(p.sequence_number) > 1 then min(p.sequence_number) end,
    coalesce(
      jsonb_agg(
        jsonb_build_object(
          'id', p.id,
          'user_id', p.user_id,
          'action', p.action,
          'credits', p.credits,
          'source', p.source,
          'reference_id', p.reference_id,
          'created_at', p.created_at,
          'balance_after', p.balance_after,
          'quantity', p.quantity
        )
        order by p.sequence_number desc
      ),
      '[]'::jsonb
    )
  from page p;
end;
$$;

comment on function public.list_credit_transactions is
  'One row. outcome: listed; user_not_found (or erased); not_the_owner (if proven_phone_number is given and belongs to another user). total counts all entries of the user; next_cursor is null on the last page.';
