-- The balance at which a user is running out of credits.
create function private.low_balance_credits()
returns integer
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select s.value from public.settings s where s.name = 'low_balance_credits');
end;
$$;

comment on function private.low_balance_credits is
  'The setting.';
