-- Refuses every change to the references of entries, except by the erasure of their person.
create function private.keep_ledger()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if private.is_erasing()
    and not exists (
      select from new_entries t
      -- Not a join, for which replace_references would have all users read.
      where (select u.erased_at from public.users u where u.id = t.user_id) is null
        or t.source in ('system', 'payment', 'refund', 'dispute', 'merge')
        or coalesce(t.reference_id, '') !~ '^erased [0-9a-f-]{36}$'
    )
  then
    return null;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$$;

comment on function private.keep_ledger is
  'Trigger of the ledger, once for each statement, however many entries a person has. Allows what private.replace_references does; another trigger refuses changes to any other column.';
