-- Looks for anything that must never occur about some users and orders.
create function private.check_subjects(user_ids uuid[], order_ids uuid[])
returns table (invariant text, subject text, detail text, user_id uuid, order_id uuid)
language plpgsql
stable
set search_path = ''
-- Row by row through the indexes. The planner would rather read a whole table, or a whole index, than look
-- up many rows of it, but then the time would grow with the books.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
begin
  return query select c.* from private.check_scope(
    null, null, check_subjects.user_ids, check_subjects.order_ids
  ) c;
end;
$$;

comment on function private.check_subjects is
  'As check_scope. Takes time in proportion to the histories of the users, whatever the size of the books.';
