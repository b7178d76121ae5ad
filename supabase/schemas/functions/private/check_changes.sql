-- Looks for anything in the books that must never occur, in what was written within a time.
create function private.check_changes(since timestamptz, before timestamptz)
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
declare
  v_order_ids constant uuid[] := private.changed_orders(check_changes.since, check_changes.before);
  v_user_ids constant uuid[] :=
    private.changed_users(check_changes.since, check_changes.before, v_order_ids);
begin
  return query select c.* from private.check_scope(
    check_changes.since, check_changes.before, v_user_ids, v_order_ids
  ) c;
end;
$$;

comment on function private.check_changes is
  'As check_scope. Takes time in proportion to what was written, whatever the size of the books.';
