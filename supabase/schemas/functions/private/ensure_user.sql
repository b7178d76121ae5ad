-- Finds the user of a phone number or a WhatsApp user id, or creates one with the free credits of a new
-- user.
create function private.ensure_user(phone_number text, whatsapp_user_id text default null)
returns public.users
language plpgsql
set search_path = ''
as $$
declare
  v_free_credits constant integer := 3;
  v_user_id uuid;
  v_user public.users;
begin
  if num_nonnulls(ensure_user.phone_number, ensure_user.whatsapp_user_id) = 0 then
    raise exception 'a user is named by a phone number or a WhatsApp user id'
      using errcode = 'invalid_parameter_value';
  end if;

  v_user_id := private.find_user_id(ensure_user.phone_number, ensure_user.whatsapp_user_id);
  if v_user_id is null then
    -- First contacts that arrive together meet at this key: one of them claims the identity, and the
    -- others wait for its commit and then read whose it is.
    insert into public.identities as i (kind, value, user_id)
    values (
      case when ensure_user.phone_number is null then 'whatsapp_user_id' else 'phone' end,
      coalesce(ensure_user.phone_number, ensure_user.whatsapp_user_id),
      gen_random_uuid()
    )
    on conflict on constraint identities_pkey do nothing
    returning i.user_id into v_user_id;

    if found then
      insert into public.users (id, phone_number, credits, transaction_count)
      values (v_user_id, ensure_user.phone_number, v_free_credits, 1);
      insert into public.credit_transactions
        (user_id, sequence_number, action, credits, source, reference_id, balance_after)
      values (v_user_id, 1, 'credit', v_free_credits, 'system', 'welcome', v_free_credits);
    else
      v_user_id := private.find_user_id(ensure_user.phone_number, ensure_user.whatsapp_user_id);
    end if;
  end if;

  -- A bot that names both tells us that they belong to one person. If both already have an account,
  -- merging them is up to an operator.
  if num_nonnulls(ensure_user.phone_number, ensure_user.whatsapp_user_id) = 2
    and (
      private.find_user_id(ensure_user.phone_number, null) is null
      or private.find_user_id(null, ensure_user.whatsapp_user_id) is null
    )
  then
    with claimed as (
      insert into public.identities as i (kind, value, user_id)
      values
        ('phone', ensure_user.phone_number, v_user_id),
        ('whatsapp_user_id', ensure_user.whatsapp_user_id, v_user_id)
      on conflict on constraint identities_pkey do nothing
      returning i.kind
    )
    update public.users u set phone_number = ensure_user.phone_number
    where u.id = v_user_id
      and u.phone_number is null
      -- Another call may have claimed the number for a different user meanwhile.
      and exists (select from claimed c where c.kind = 'phone');
  end if;

  select u.* into strict v_user from public.users u where u.id = v_user_id;
  return v_user;
end;
$$;

comment on function private.ensure_user is
  'The user of a phone number (E.164), a WhatsApp user id, or both. A new user gets 3 free credits and one system entry; an existing one is only read.';
