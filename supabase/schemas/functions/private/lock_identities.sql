-- Makes calls that name the same person take turns, until the end of the transaction.
create function private.lock_identities(phone_number text, whatsapp_user_id text default null)
returns void
language plpgsql
set search_path = ''
as $$
begin
  -- Always in this order, so that two calls that name two identities never wait for each other.
  if lock_identities.phone_number is not null then
    perform pg_catalog.pg_advisory_xact_lock(
      pg_catalog.hashtextextended('phone ' || lock_identities.phone_number, 0)
    );
  end if;
  if lock_identities.whatsapp_user_id is not null then
    perform pg_catalog.pg_advisory_xact_lock(
      pg_catalog.hashtextextended('whatsapp_user_id ' || lock_identities.whatsapp_user_id, 0)
    );
  end if;
end;
$$;

comment on function private.lock_identities is
  'An advisory lock, because an identity that is about to be used for the first time has no row to lock. Taken before any row.';
