-- Lets a price continue when its successor is withdrawn before it applied.
create function private.resume_price()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  update public.action_prices p set valid_until = old.valid_until
  where p.action_id = old.action_id
    and p.valid_until = old.valid_from
    and p.valid_from < p.valid_until;
  return null;
end;
$$;

comment on function private.resume_price is
  'Trigger of action_prices, for a row that ends when it would have begun. The row before it, if there is one, ends when this one would have.';
