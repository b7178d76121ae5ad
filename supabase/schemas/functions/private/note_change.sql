-- Notes when a row was written.
create function private.note_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.changed_at := clock_timestamp();
  return new;
end;
$$;

comment on function private.note_change is
  'Trigger of the tables whose rows change without a new entry in the ledger. Not of users: its rows change with every deduction, which the ledger tells of.';
