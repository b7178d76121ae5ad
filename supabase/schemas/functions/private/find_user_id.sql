-- Finds the user of a phone number or a WhatsApp user id.
create function private.find_user_id(phone_number text, whatsapp_user_id text)
returns uuid
language sql
stable
set search_path = ''
as $$
  -- The number takes precedence: it is the older identity, and the one that a page can prove.
  select coalesce(
    (select i.user_id from public.identities i where i.kind = 'phone' and i.value = $1),
    (select i.user_id from public.identities i where i.kind = 'whatsapp_user_id' and i.value = $2)
  );
$$;

comment on function private.find_user_id is
  'Null if neither is known. Either argument may be null.';
