-- Looks for anything in a part of the books that must never occur.
create function private.check_part(
  since timestamptz,
  before timestamptz,
  user_ids uuid[],
  order_ids uuid[]
)
returns table (invariant text, subject text, detail text, user_id uuid, order_id uuid)
language plpgsql
stable
set search_path = ''
-- Row by row through the indexes. The planner would rather read a whole table, or a whole index, than look
-- up many rows of it, but then the time would grow with the books.
set enable_seqscan = off
set enable_mergejoin = off
set random_page_cost = 1.1
set jit = off
as $$
begin
  return query select c.* from private.check_scope(
    check_part.since, check_part.before, coalesce(check_part.user_ids, '{}'),
    coalesce(check_part.order_ids, '{}')
  ) c;
end;
$$;

comment on function private.check_part is
  'As check_scope. Takes time in proportion to the part, whatever the size of the books.';
