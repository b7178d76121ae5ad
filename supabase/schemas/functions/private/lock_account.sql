-- Locks the account of a user id, which is another one if it was merged.
create function private.lock_account(user_id uuid)
returns public.users
language plpgsql
set search_path = ''
as $$
declare
  v_user public.users;
begin
  for v_attempt in 1..10 loop
    begin
      select u.* into v_user from public.users u
      where u.id = (
        select coalesce(named.merged_into, named.id) from public.users named
        where named.id = lock_account.user_id
      )
      for no key update;
      if v_user.erased_at is not null then
        return null;
      elsif v_user.merged_into is null then
        return private.end_expired_holds(v_user);
      end if;
      raise exception 'the account was merged meanwhile' using errcode = 'serialization_failure';
    exception
      -- Start over, without the lock on the merged account.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$$;

comment on function private.lock_account is
  'Null if there is no such user, or if the person was erased. None of its holds has expired.';
