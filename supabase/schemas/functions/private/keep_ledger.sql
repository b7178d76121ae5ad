-- Refuses every change to an entry, but for the reference of a person who is being erased.
create function private.keep_ledger()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if private.is_erasing()
    and not exists (
      select from old_entries o
      full join new_entries n using (user_id, sequence_number)
      left join public.users u on u.id = user_id and u.erased_at is not null
      where to_jsonb(o) - 'reference_id' is distinct from to_jsonb(n) - 'reference_id'
        or o.source in ('system', 'payment', 'refund', 'dispute', 'merge')
        or coalesce(n.reference_id, '') !~ '^erased [0-9a-f-]{36}$'
        or u.id is null
    )
  then
    return null;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$$;

comment on function private.keep_ledger is
  'Trigger of the ledger, once for each statement, however many entries a person has. As private.refuse_change, but for what private.replace_references does.';
