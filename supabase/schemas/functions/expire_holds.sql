-- Ends holds that have expired, user by user. Calls about a user end that user's own; this is for users
-- about whom nobody asks.
create function public.expire_holds(batch_size integer, after_user_id uuid default null)
returns table (users integer, expired integer, failed integer, last_user_id uuid)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
declare
  v_user_id uuid;
  v_hold public.holds;
begin
  users := 0;
  expired := 0;
  failed := 0;
  for v_user_id in
    select h.user_id from public.holds h
    where h.state = 'open'
      and h.expires_at <= statement_timestamp()
      and (expire_holds.after_user_id is null or h.user_id > expire_holds.after_user_id)
    group by h.user_id
    order by h.user_id
    limit expire_holds.batch_size
  loop
    users := users + 1;
    last_user_id := v_user_id;
    -- Whoever holds the lock may be ending them; if not, the next run does.
    perform from public.users u where u.id = v_user_id for no key update skip locked;
    continue when not found;
    for v_hold in
      select h.* from public.holds h
      where h.user_id = v_user_id and h.state = 'open' and h.expires_at <= clock_timestamp()
      order by h.expires_at
    loop
      -- Each on its own, so that one that fails stops no other.
      begin
        perform private.end_hold(v_hold, 'expired');
        expired := expired + 1;
      exception
        when others then
          failed := failed + 1;
          raise warning 'the hold of user % for % could not be ended: %', v_user_id,
            v_hold.reference_id, sqlerrm;
      end;
    end loop;
  end loop;
  return next;
end;
$$;

comment on function public.expire_holds is
  'One row: the number of users, at most batch_size, of their holds that were ended, and of those that could not be, which the database''s log explains. To go on, pass last_user_id as after_user_id, so that a run gets past holds that keep failing.';
