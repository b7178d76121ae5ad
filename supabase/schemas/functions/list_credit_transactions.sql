-- Reads one page of a user's history, newest first.
create function public.list_credit_transactions(
  user_id uuid,
  page_size integer,
  before_sequence_number integer default null,
  proven_phone text default null
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
  -- Who has proven a number reads that number's history. A stranger is told the same of a user that
  -- exists and of one that does not.
  if list_credit_transactions.proven_phone is not null
    and list_credit_transactions.user_id
      is distinct from private.find_user_id(list_credit_transactions.proven_phone, null)
  then
    return query select 'not_the_owner', 0, 0, null::integer, '[]'::jsonb;
    return;
  end if;

  select u.transaction_count, u.debt_credits into v_total, v_debt_credits from public.users u
  where u.id = list_credit_transactions.user_id;
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
    -- Numbers have no gaps, so the page after this one starts right below its oldest entry.
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
          'balance_after', p.balance_after
        )
        order by p.sequence_number desc
      ),
      '[]'::jsonb
    )
  from page p;
end;
$$;

comment on function public.list_credit_transactions is
  'One row. outcome: listed; user_not_found; not_the_owner (of proven_phone, where that is given). total counts all entries of the user; next_cursor is null on the last page.';
