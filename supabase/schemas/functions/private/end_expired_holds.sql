-- Ends the holds of a user that have expired, so that they block nothing.
create function private.end_expired_holds(holder public.users)
returns public.users
language plpgsql
set search_path = ''
as $$
declare
  v_user public.users := holder;
  v_hold public.holds;
begin
  if v_user.next_hold_expiry_at <= clock_timestamp() then
    for v_hold in
      select h.* from public.holds h
      where h.user_id = v_user.id and h.state = 'open' and h.expires_at <= clock_timestamp()
      order by h.expires_at, h.reference_id
    loop
      perform private.end_hold(v_hold, 'expired');
    end loop;
    -- A hold that was captured in full has left its expiry behind, which none may have reached.
    update public.users u
    set next_hold_expiry_at = (
      select min(h.expires_at) from public.holds h where h.user_id = u.id and h.state = 'open'
    )
    where u.id = v_user.id
    returning * into strict v_user;
  end if;
  return v_user;
end;
$$;

comment on function private.end_expired_holds is
  'Takes and returns the row of a locked user. To be called before anything looks at what is reserved.';
