-- The sentence of a charge: that of its own price.
create function private.done_message(charge public.credit_transactions)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select p.done_message from public.action_prices p
    where p.id = (charge).price_id
      -- Entries from before there were prices are for images.
      or (charge).price_id is null and p.action_id = (charge).source
    order by p.valid_from
    limit 1
  );
end;
$$;

comment on function private.done_message is
  'Not null for an entry that a bot charged for.';
