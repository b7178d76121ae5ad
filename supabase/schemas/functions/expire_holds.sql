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
  -- Together with one wait for a lock it is less than the timeout, which would undo the whole batch.
  v_stop_at constant timestamptz := statement_timestamp() + interval '500 milliseconds';
  v_user public.users;
begin
  users := 0;
  expired := 0;
  failed := 0;
  last_user_id := coalesce(expire_holds.after_user_id, '00000000-0000-0000-0000-000000000000');
  loop
    -- The next one only, however many there are.
    select h.user_id into last_user_id from public.holds h
    where h.state = 'open' and h.expires_at <= statement_timestamp() and h.user_id > last_user_id
    order by h.user_id
    limit 1;
    exit when not found;
    users := users + 1;
    -- Each user apart, so that one whose holds cannot be ended stops no other.
    begin
      -- Whoever holds the lock may be ending them; if not, the next run does.
      select u.* into v_user from public.users u where u.id = last_user_id for no key update skip locked;
      if found then
        expired := expired + v_user.open_holds - (private.end_expired_holds(v_user)).open_holds;
      end if;
    exception
      when others then
        failed := failed + (
          select count(*) from public.holds h
          where h.user_id = last_user_id and h.state = 'open' and h.expires_at <= statement_timestamp()
        );
        raise warning 'the expired holds of user % could not be ended: %', last_user_id, sqlerrm;
    end;
    exit when expired + failed >= expire_holds.batch_size or clock_timestamp() >= v_stop_at;
  end loop;
  return next;
end;
$$;

comment on function public.expire_holds is
  'One row: the number of users that it came to, of their holds that were ended, and of those that could not be, which the database''s log explains. It stops after half a second, or when there are batch_size holds, of which all of one user count together. To go on, pass last_user_id as after_user_id, so that a run gets past holds that keep failing; null if nobody is left.';
