-- Finds the user of a phone number or a WhatsApp user id, or creates one with the free credits of a new
-- user.
create function private.ensure_user(
  phone_number text,
  whatsapp_user_id text default null,
  identity_hashes text[] default null
)
returns public.users
language plpgsql
set search_path = ''
as $$
declare
  v_free_credits constant integer := 3;
  v_is_our_turn boolean := false;
  v_is_welcome boolean;
  v_user public.users;
begin
  if num_nonnulls(ensure_user.phone_number, ensure_user.whatsapp_user_id) = 0 then
    raise exception 'a user is named by a phone number or a WhatsApp user id'
      using errcode = 'invalid_parameter_value';
  end if;

  for v_attempt in 1..10 loop
    -- One statement, so that a merge cannot come between the identity and its user.
    select u.* into v_user from public.users u
    where u.id = private.find_user_id(ensure_user.phone_number, ensure_user.whatsapp_user_id);

    -- If both of two identities already have an account, merging them is up to an operator.
    if found and (
      num_nonnulls(ensure_user.phone_number, ensure_user.whatsapp_user_id) = 1
      or private.find_user_id(ensure_user.phone_number, null) is not null
        and private.find_user_id(null, ensure_user.whatsapp_user_id) is not null
    ) then
      return v_user;
    end if;

    -- First contacts that arrive together wait here for the first of them, and then find its user.
    if not v_is_our_turn then
      perform private.lock_identities(ensure_user.phone_number, ensure_user.whatsapp_user_id);
      v_is_our_turn := true;
      continue;
    end if;

    if v_user.id is null then
      v_is_welcome := private.is_welcome(ensure_user.identity_hashes);
      if v_is_welcome is null then
        return null;
      end if;
    end if;

    begin
      if v_user.id is null then
        insert into public.users (phone_number, credits, transaction_count, is_without_welcome)
        values (ensure_user.phone_number, case when v_is_welcome then v_free_credits else 0 end,
          case when v_is_welcome then 1 else 0 end, not v_is_welcome)
        returning * into v_user;
        insert into public.credit_transactions
          (user_id, sequence_number, action, credits, source, reference_id, balance_after,
            remaining_after)
        select v_user.id, 1, 'credit', v_free_credits, 'system', 'welcome', v_free_credits,
          v_free_credits
        where v_is_welcome;
      else
        select u.* into strict v_user from public.users u where u.id = v_user.id for no key update;
        if num_nonnulls(v_user.merged_into, v_user.erased_at) > 0 then
          raise exception 'the account is gone' using errcode = 'serialization_failure';
        end if;
      end if;

      -- A bot that names both tells us that they belong to one person.
      insert into public.identities (kind, value, user_id)
      select named.kind, named.value, v_user.id
      from (
        values
          ('phone', ensure_user.phone_number),
          ('whatsapp_user_id', ensure_user.whatsapp_user_id)
      ) named (kind, value)
      where named.value is not null and not exists (
        select from public.identities i where i.kind = named.kind and i.value = named.value
      );

      if v_user.phone_number is null and ensure_user.phone_number is not null then
        update public.users u set phone_number = ensure_user.phone_number
        where u.id = v_user.id
        returning * into v_user;
      end if;
      return v_user;
    exception
      -- Start over, without the lock on the account that is gone.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$$;

comment on function private.ensure_user is
  'The user of a phone number (E.164), a WhatsApp user id, or both. A new user gets 3 free credits and one system entry, unless identity_hashes says that the person was erased before; an existing one is only read. Null if that has to be known and identity_hashes is null: see private.is_welcome.';
