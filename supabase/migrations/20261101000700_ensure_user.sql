-- Finds the user of a phone number, or creates it with the free credits of a newcomer.
create function private.ensure_user(phone_number text)
returns public.users
language plpgsql
set search_path = ''
as $$
declare
  v_free_credits constant integer := 3;
  v_user public.users;
begin
  select u.* into v_user from public.users u where u.phone_number = ensure_user.phone_number;
  if found then
    return v_user;
  end if;

  -- First contacts that arrive together meet at the unique key: one inserts, the others wait for
  -- its commit and read its row.
  insert into public.users (phone_number, credits, transaction_count)
  values (ensure_user.phone_number, v_free_credits, 1)
  on conflict on constraint users_phone_number_key do nothing
  returning * into v_user;

  if found then
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after)
    values (v_user.id, 1, 'credit', v_free_credits, 'system', 'welcome', v_free_credits);
  else
    select u.* into strict v_user from public.users u
    where u.phone_number = ensure_user.phone_number;
  end if;

  return v_user;
end;
$$;

comment on function private.ensure_user(text) is
  'The user of a phone number (E.164). An unknown one is created with 3 free credits and one system entry; a known one is only read.';

revoke execute on function private.ensure_user(text) from public, anon, authenticated, service_role;
