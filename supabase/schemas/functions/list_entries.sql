-- Returns a page of an account's entries, for an operator.
create function public.list_entries(
  user_id uuid,
  page_size integer,
  before_sequence_number integer default null
)
returns table (outcome text, total integer, entries jsonb, next_cursor integer)
language plpgsql
stable
security definer
set search_path = ''
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_page jsonb;
begin
  select u.transaction_count into total from public.users u where u.id = list_entries.user_id;
  if not found then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  v_page := private.page_of_entries(
    list_entries.user_id, list_entries.page_size, list_entries.before_sequence_number
  );
  outcome := 'listed';
  entries := v_page -> 'entries';
  next_cursor := (v_page ->> 'next_cursor')::integer;
  return next;
end;
$$;

comment on function public.list_entries is
  'One row. outcome: listed; user_not_found. Newest first. total counts all entries of the account; next_cursor is null on the last page. Of an account that was merged into another one, its own history until then.';
