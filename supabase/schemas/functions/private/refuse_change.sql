-- Refuses every change to a row that was written once.
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
  'Trigger of the append-only tables. The tables'' owner, which is the role of migrations and of the dashboard''s SQL editor, or a superuser can disable it; no role of the Data API can.';
