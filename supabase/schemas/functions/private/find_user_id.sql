-- Finds the user of a phone number or a WhatsApp user id.
create function private.find_user_id(phone_number text, whatsapp_user_id text)
returns uuid
-- Not in SQL, which would be planned anew for every call.
language plpgsql
stable
set search_path = ''
as $$
begin
  -- The number takes precedence: it is the older identity, and the one that a page can prove.
  return coalesce(
    (
      select i.user_id from public.identities i
      where i.kind = 'phone' and i.value = find_user_id.phone_number
    ),
    (
      select i.user_id from public.identities i
      where i.kind = 'whatsapp_user_id' and i.value = find_user_id.whatsapp_user_id
    )
  );
end;
$$;

comment on function private.find_user_id is
  'Null if neither is known. Either argument may be null.';
