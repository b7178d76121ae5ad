-- Keeps an operator from doing anything, from the next call on.
create function public.disable_operator(email text)
returns table (outcome text)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
begin
  update public.operators o set disabled_at = coalesce(o.disabled_at, clock_timestamp())
  where o.email = lower(btrim(disable_operator.email));
  outcome := case when found then 'disabled' else 'operator_not_found' end;
  return next;
end;
$$;

comment on function public.disable_operator is
  'One row. email: as list_operators has it. outcome: disabled, now or before; operator_not_found.';
