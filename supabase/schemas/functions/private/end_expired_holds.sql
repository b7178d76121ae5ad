-- Ends the holds of a user that have expired, so that they block nothing.
create function private.end_expired_holds(holder public.users)
returns public.users
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_user public.users := holder;
  v_hold public.holds;
begin
  if v_user.next_hold_expiry_at <= v_now then
    -- All of them together, because there may be many. A hold that was captured in full has left its
    -- expiry behind, which none may have reached.
    update public.users u
    set held_credits = u.held_credits - e.credits,
        open_holds = u.open_holds - e.holds,
        next_hold_expiry_at = (
          select min(h.expires_at) from public.holds h
          where h.user_id = u.id and h.state = 'open' and h.expires_at > v_now
        )
    from (
      select coalesce(sum(h.credits), 0) as credits, count(*) as holds from public.holds h
      where h.user_id = v_user.id and h.state = 'open' and h.expires_at <= v_now
    ) e
    where u.id = v_user.id;
    perform private.collect_debts(v_user.id);
    select u.* into strict v_user from public.users u where u.id = v_user.id;

    for v_hold in
      with ended as (
        update public.holds h
        set state = 'expired',
            ended_at = clock_timestamp(),
            remaining_after_end = private.remaining_credits(v_user),
            balance_after_end = v_user.credits
        where h.user_id = v_user.id and h.state = 'open' and h.expires_at <= v_now
        returning h.*
      )
      select e.* from ended e order by e.expires_at, e.reference_id
    loop
      perform private.tell(
        v_user.id, 'hold.expired',
        jsonb_build_object('reference_id', v_hold.reference_id, 'released_credits', v_hold.credits)
      );
    end loop;
    -- What was returned may have paid a debt.
    perform private.tell_of_low_balance(v_user.id, (holder).credits, v_user.credits);
  end if;
  return v_user;
end;
$$;

comment on function private.end_expired_holds is
  'Takes and returns the row of a locked user. To be called before anything looks at what is reserved.';
