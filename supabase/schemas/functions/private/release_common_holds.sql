-- Before a merge: of two holds with one reference, ends the one that cannot stay.
create function private.release_common_holds(from_user_id uuid, into_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_hold public.holds;
begin
  -- A reference pays once: what one account has charged ends what the other has open, and of two open
  -- holds the account that stays keeps its own.
  for v_hold in
    select h.* from public.holds h
    where h.state = 'open' and (
      h.user_id = into_user_id
        and (private.find_charge(from_user_id, h.reference_id)).user_id is not null
      or h.user_id = from_user_id
        and private.is_reference_taken(into_user_id, h.reference_id)
    )
    order by h.user_id, h.reference_id
  loop
    perform private.end_hold(v_hold, 'released');
  end loop;
end;
$$;

comment on function private.release_common_holds is
  'Both users are locked, and none of their holds has expired.';
