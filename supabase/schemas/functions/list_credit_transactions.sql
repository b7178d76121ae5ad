-- Returns one page of a user's history, newest first, and what an account page shows besides.
create function public.list_credit_transactions(
  user_id uuid,
  page_size integer,
  before_sequence_number integer default null,
  proven_phone_number text default null,
  is_public_reader boolean default false
)
returns table (
  outcome text,
  total integer,
  debt_credits integer,
  next_cursor integer,
  transactions jsonb,
  credits integer,
  remaining_credits integer,
  reserved_credits integer,
  is_frozen boolean,
  pending_orders jsonb
)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_user public.users;
  v_is_proven boolean := not list_credit_transactions.is_public_reader;
begin
  -- A caller who has proven a number may read the history of that number only. Anyone else gets the
  -- same result for a user who exists and for one who does not.
  if list_credit_transactions.proven_phone_number is not null then
    v_is_proven := list_credit_transactions.user_id
      is not distinct from private.find_user_id(list_credit_transactions.proven_phone_number, null);
  end if;
  total := 0;
  debt_credits := 0;
  transactions := '[]';
  if not v_is_proven and not list_credit_transactions.is_public_reader then
    outcome := 'not_the_owner';
    return next;
    return;
  end if;

  select u.* into v_user from public.users u
  where u.id = list_credit_transactions.user_id and u.erased_at is null;
  if not found then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  return query
  with page as (
    select t.* from public.credit_transactions t
    where t.user_id = list_credit_transactions.user_id
      and t.sequence_number < coalesce(
        list_credit_transactions.before_sequence_number, v_user.transaction_count + 1
      )
    order by t.sequence_number desc
    limit list_credit_transactions.page_size
  )
  select
    'listed',
    v_user.transaction_count,
    v_user.debt_credits,
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
    ),
    v_user.credits,
    private.remaining_credits(v_user),
    private.reserved_credits(v_user),
    v_user.frozen_at is not null,
    -- An order tells of a purchase, which is nobody else's business.
    case when v_is_proven then private.pending_orders(v_user.id) end
  from page p;
end;
$$;

comment on function public.list_credit_transactions is
  'One row. outcome: listed; user_not_found (or erased); not_the_owner (if proven_phone_number is given and belongs to another user). total counts all entries of the user; next_cursor is null on the last page. is_public_reader: the caller may read every account, and sees pending_orders only where proven_phone_number is the user''s; they are null otherwise.';
