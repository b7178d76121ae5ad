-- Erases a person: everything that says whose account this was. The books stay.
create function public.erase_user(
  user_id uuid,
  operator text,
  reason text,
  identity_hashes jsonb default '{}',
  operator_id uuid default null
)
returns table (
  outcome text,
  erased_user_id uuid,
  erased_at timestamptz,
  auth text,
  identities text[]
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
-- For some hundred thousand entries. Nobody waits for the locks but calls for the person who is being erased.
set statement_timeout = '30s'
as $$
#variable_conflict use_column
declare
  v_identity public.identities;
  v_user public.users;
  v_user_ids uuid[];
  v_order_ids uuid[];
  v_phone_numbers text[];
  v_whatsapp_user_ids text[];
begin
  if erase_user.reason !~ '\S' then
    raise exception 'an erasure has a reason' using errcode = 'invalid_parameter_value';
  end if;

  for v_attempt in 1..10 loop
    begin
      -- A person who has several accounts is erased whole, whichever of them is named.
      select u.* into v_user from public.users u
      where u.id = (
        select coalesce(named.merged_into, named.id) from public.users named
        where named.id = erase_user.user_id
      );
      if not found then
        outcome := 'user_not_found';
        return next;
        return;
      end if;
      erased_user_id := v_user.id;

      -- First contacts, orders and payments of these numbers wait, and then find nobody.
      identities := '{}';
      v_phone_numbers := '{}';
      v_whatsapp_user_ids := '{}';
      for v_identity in
        select i.* from public.identities i where i.user_id = v_user.id order by i.kind, i.value
      loop
        identities := identities || (v_identity.kind || ' ' || v_identity.value);
        if v_identity.kind = 'phone' then
          v_phone_numbers := v_phone_numbers || v_identity.value;
          perform private.lock_identities(v_identity.value);
        else
          v_whatsapp_user_ids := v_whatsapp_user_ids || v_identity.value;
          perform private.lock_identities(null, v_identity.value);
        end if;
      end loop;
      perform from public.users u
      where u.id = v_user.id or u.merged_into = v_user.id
      order by u.id
      for no key update;

      -- Whoever held the locks may have merged or erased the account, or tied another identity to it.
      select u.* into strict v_user from public.users u where u.id = v_user.id;
      v_user_ids := array(
        select u.id from public.users u where u.id = v_user.id or u.merged_into = v_user.id
      );
      if v_user.merged_into is not null
        or identities <> array(
          select i.kind || ' ' || i.value from public.identities i
          where i.user_id = v_user.id
          order by i.kind, i.value
        )
      then
        raise exception 'the account has changed meanwhile' using errcode = 'serialization_failure';
      end if;
      exit;
    exception
      -- Start over, with none of these locks.
      when serialization_failure or deadlock_detected then v_user_ids := null;
    end;
  end loop;
  if v_user_ids is null then
    raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
  end if;

  if v_user.erased_at is not null then
    outcome := 'replayed';
    erased_at := v_user.erased_at;
    select a.outcome into auth from public.operator_actions a
    where a.user_id = v_user.id and a.action = 'erase-user'
    order by a.id
    limit 1;
    return next;
    return;
  end if;

  v_order_ids := array(
    select o.id from public.payment_orders o where o.user_id = any (v_user_ids)
    union
    -- Where an order names two identities, the number decides whose it is.
    select o.id from public.payment_orders o
    where o.phone_number = any (v_phone_numbers) and o.user_id is null
      and private.find_user_id(o.phone_number, o.whatsapp_user_id) = v_user.id
    union
    select o.id from public.payment_orders o
    where o.whatsapp_user_id = any (v_whatsapp_user_ids) and o.user_id is null
      and private.find_user_id(o.phone_number, o.whatsapp_user_id) = v_user.id
  );
  perform from public.payment_orders o where o.id = any (v_order_ids) order by o.id for no key update;

  v_user := private.end_expired_holds(v_user);
  if v_user.open_holds > 0 or exists (
    select from public.payment_orders o
    join public.payments p on p.order_id = o.id
    where o.id = any (v_order_ids)
      and o.state <> 'paid'
      and p.status in ('created', 'authorized')
      -- Razorpay returns what was not captured long before it is no longer asked.
      and o.next_check_at is not null
  ) or exists (
    -- A refund that an operator has asked for, and of which nobody knows yet whether it was made.
    select from public.operator_actions a
    where a.order_id = any (v_order_ids)
      and a.outcome = 'asked'
      and not exists (select from public.operator_actions c where c.completes = a.id)
  ) then
    outcome := 'user_in_use';
    return next;
    return;
  end if;

  if (select s.value = 0 from public.settings s where s.name = 'welcome_after_erasure') then
    if not coalesce(erase_user.identity_hashes ?& identities, false) then
      outcome := 'hashes_needed';
      return next;
      return;
    end if;
    insert into public.erased_identities (hash)
    select distinct h.value from jsonb_each_text(erase_user.identity_hashes) h
    where h.key = any (identities)
    on conflict do nothing;
  end if;

  delete from public.identities i where i.user_id = any (v_user_ids);
  update public.users u set phone_number = null, erased_at = clock_timestamp()
  where u.id = any (v_user_ids);
  update public.payment_orders o
  set phone_number = null, whatsapp_user_id = null, placed_by = null, erased_at = clock_timestamp()
  where o.id = any (v_order_ids);
  -- Orders of somebody else that name this person too.
  update public.payment_orders o set whatsapp_user_id = null
  where o.whatsapp_user_id = any (v_whatsapp_user_ids) and o.phone_number is not null;
  -- Deliveries from before names and contacts were left out of them.
  update public.webhook_deliveries d set payload = '{}'
  -- Arrays, because for a condition with subqueries on either side of an "or" the planner uses no index.
  where d.razorpay_order_id = any (array(
      select o.razorpay_order_id from public.payment_orders o where o.id = any (v_order_ids)
    ))
    or d.razorpay_payment_id = any (array(
      select p.id from public.payments p where p.order_id = any (v_order_ids)
    ));
  delete from public.events e
  where e.user_id = any (v_user_ids) or e.order_id = any (v_order_ids);
  -- What the check of the books found about the person. What is still wrong is found again.
  update public.book_violations v set subject = 'erased ' || gen_random_uuid(), detail = 'erased'
  where v.user_id = any (v_user_ids) or v.order_id = any (v_order_ids);
  perform private.replace_references(v_user_ids, v_order_ids);
  auth := private.delete_auth_users(v_phone_numbers);

  -- The record names nobody, so the reason, in which an operator may have named the person, is not kept.
  perform private.record_action(
    'erase-user', erase_user.operator, 'erased', auth, user_id => v_user.id,
    operator_id => erase_user.operator_id
  );

  delete from public.rate_counters c
  where c.subject = any (v_phone_numbers || v_whatsapp_user_ids);

  outcome := 'erased';
  identities := null;
  select u.erased_at into strict erased_at from public.users u where u.id = v_user.id;
  return next;
end;
$$;

comment on function public.erase_user is
  'One row. outcome: erased; replayed (erased before); user_not_found; user_in_use (a hold is open, or a payment was tried and neither failed nor succeeded, or a refund was asked for and is not known to have been made); hashes_needed (nothing was changed: call again with identity_hashes, an object with the keyed hash of each of identities). auth: see private.delete_auth_users. An account that was merged stands for the one that it was merged into.';
