-- Whether the running statement is a call of erase_user itself.
create function private.is_erasing()
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_context text;
begin
  get diagnostics v_context = pg_context;
  -- The last line is the function that was called first.
  return split_part(v_context, E'\n', -1) ~ '^PL/pgSQL function public\.erase_user\([^()]*\) line \d+ at \w+$';
end;
$$;

comment on function private.is_erasing is
  'True within public.erase_user, if that was called by itself and not from within anything else.';
