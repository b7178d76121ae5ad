-- Looks for anything in the books that must never occur: everywhere, in what is new, or about one user.
create function public.check_invariants(since timestamptz default null, user_id uuid default null)
returns table (invariant text, subject text, detail text)
language plpgsql
stable
security definer
set search_path = ''
-- For a part. The whole needs a direct connection, which this does not end.
set statement_timeout = '20s'
as $$
#variable_conflict use_column
declare
  v_user_ids uuid[];
begin
  if num_nonnulls(check_invariants.since, check_invariants.user_id) = 2 then
    raise exception 'a part is what changed since a moment or one user, not both'
      using errcode = 'invalid_parameter_value';
  elsif check_invariants.since is not null then
    return query select c.invariant, c.subject, c.detail
    from private.check_changes(check_invariants.since, 'infinity') c;
  elsif check_invariants.user_id is not null then
    v_user_ids := array(
      select u.id from public.users u
      where u.id = check_invariants.user_id or u.merged_into = check_invariants.user_id
    );
    return query select c.invariant, c.subject, c.detail
    from private.check_subjects(v_user_ids, private.orders_of(v_user_ids)) c;
  else
    return query select c.invariant, c.subject, c.detail
    from private.check_scope(null, null, null, null) c;
  end if;
end;
$$;

comment on function public.check_invariants is
  'Returns every violated invariant of the books with its subject, and no row if all is well. For operators and for tests. since: of what was written from then on, in a time that grows with how much that is. user_id: of one user, the accounts that were merged into it, and their orders, in a time that grows with their histories. Neither: of everything. That reads every table in full, a fixed number of times, so call it over a direct connection, once a day.';
