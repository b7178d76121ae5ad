-- Returns the statement of an account: the balance before a period, its entries, the balance after.
create function public.export_statement(
  user_id uuid,
  max_entries integer,
  since timestamptz default '-infinity',
  until timestamptz default 'infinity'
)
returns table (
  outcome text,
  opening_balance integer,
  closing_balance integer,
  entries jsonb
)
language plpgsql
stable
security definer
set search_path = ''
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_before integer := 0;
  v_last integer;
begin
  if not exists (select from public.users u where u.id = export_statement.user_id) then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  -- A period is a part of the history without gaps, even if the server's clock was set back within it,
  -- so that the statement adds up.
  opening_balance := 0;
  select t.sequence_number, t.balance_after into v_before, opening_balance
  from public.credit_transactions t
  where t.user_id = export_statement.user_id and t.created_at < export_statement.since
  order by t.sequence_number desc
  limit 1;
  v_before := coalesce(v_before, 0);
  opening_balance := coalesce(opening_balance, 0);

  select t.sequence_number, t.balance_after into v_last, closing_balance
  from public.credit_transactions t
  where t.user_id = export_statement.user_id and t.created_at < export_statement.until
  order by t.sequence_number desc
  limit 1;
  -- Nothing has happened in the period.
  if v_last is null or v_last <= v_before then
    v_last := v_before;
    closing_balance := opening_balance;
  end if;

  if v_last - v_before > export_statement.max_entries then
    outcome := 'too_many_entries';
    return next;
    return;
  end if;

  outcome := 'exported';
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'sequence_number', t.sequence_number,
        'created_at', t.created_at,
        'action', t.action,
        'credits', t.credits,
        'source', t.source,
        'reference_id', t.reference_id,
        'balance_after', t.balance_after
      )
      order by t.sequence_number
    ),
    '[]'
  ) into entries
  from public.credit_transactions t
  where t.user_id = export_statement.user_id
    and t.sequence_number > v_before and t.sequence_number <= v_last;
  return next;
end;
$$;

comment on function public.export_statement is
  'One row. since is part of the period, until is not. outcome: exported; user_not_found; too_many_entries (more than max_entries). Of an account that was merged into another one, its own history until then.';
