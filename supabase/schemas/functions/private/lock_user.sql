-- Finds or creates the user of an identity, and locks it.
create function private.lock_user(
  phone_number text,
  whatsapp_user_id text,
  identity_hashes text[] default null
)
returns public.users
language plpgsql
set search_path = ''
as $$
declare
  v_user public.users;
begin
  for v_attempt in 1..10 loop
    begin
      v_user := private.ensure_user(
        lock_user.phone_number, lock_user.whatsapp_user_id, lock_user.identity_hashes
      );
      if v_user.id is null then
        return null;
      end if;
      select u.* into strict v_user from public.users u where u.id = v_user.id for no key update;
      if num_nonnulls(v_user.merged_into, v_user.erased_at) = 0 then
        return v_user;
      end if;
      raise exception 'the account is gone' using errcode = 'serialization_failure';
    exception
      -- Start over, without the lock on the account that is gone.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$$;

comment on function private.lock_user is
  'As private.ensure_user. The account is not merged into another one or erased, and cannot be before the transaction ends.';
