-- Refuses whatever would change what has been written once.
create function private.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$$;

comment on function private.refuse_change is
  'Trigger of append-only tables. A superuser can still disable it; no role of the platform can.';
