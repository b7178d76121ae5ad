-- Refuses every change to an entry, but for the reference of a person who is being erased.
create function private.keep_ledger()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_entry public.credit_transactions;
begin
  if tg_op = 'UPDATE'
    and old.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
    and new.reference_id ~ '^erased [0-9a-f-]{36}$'
  then
    v_entry := new;
    v_entry.reference_id := old.reference_id;
    if v_entry is not distinct from old
      and private.is_erasing()
      and exists (
        select from public.users u where u.id = old.user_id and u.erased_at is not null
      )
    then
      return new;
    end if;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$$;

comment on function private.keep_ledger is
  'Trigger of the ledger. As private.refuse_change, but for what private.replace_references does.';
