-- Looks for anything in the books that must never occur.
create function private.check_scope(
  since timestamptz,
  before timestamptz,
  user_ids uuid[],
  order_ids uuid[]
)
returns table (invariant text, subject text, detail text, user_id uuid, order_id uuid)
language sql
stable
set search_path = ''
as $$
  select c.* from private.check_ledger($1, $2, $3, $4) c
  -- Each violation once: an entry may be in the scope because it is new and because of its order.
  union
  select c.* from private.check_accounts($3) c
  union
  select c.* from private.check_holds($1, $2, $3) c
  union
  select c.* from private.check_orders($4) c
  union
  select c.* from private.check_payments($4) c
  union
  select c.* from private.check_reversals($4) c
  union
  select c.* from private.check_adjustments($1, $2, $3) c;
$$;

comment on function private.check_scope is
  'Everything, if all arguments are null. Otherwise a part: since and before are the times of new entries, and without them the whole histories of user_ids are read. A violation names the user or the order whose check finds it.';
