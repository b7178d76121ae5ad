-- Lets a price follow another one, and refuses to change what applied before.
create function private.keep_price_history()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_valid_until timestamptz;
begin
  if tg_op = 'INSERT' then
    update public.action_prices p set valid_until = new.valid_from
    where p.action_id = new.action_id and p.valid_until = 'infinity';
    select max(p.valid_until) into v_valid_until from public.action_prices p
    where p.action_id = new.action_id;
    if new.valid_from < v_valid_until
      or v_valid_until is not null and new.valid_from < transaction_timestamp()
    then
      raise exception 'the price of % is known until %, and can change from now on', new.action_id,
        greatest(v_valid_until, transaction_timestamp())
        using errcode = 'restrict_violation';
    end if;
  elsif old.valid_until < 'infinity'
    or new.valid_until < transaction_timestamp()
    or (to_jsonb(new) - 'valid_until') <> (to_jsonb(old) - 'valid_until')
  then
    raise exception 'a price is never changed: add another row, or set valid_until to retire the action'
      using errcode = 'restrict_violation';
  end if;
  return new;
end;
$$;

comment on function private.keep_price_history is
  'Trigger of action_prices. A new row ends the one before it, at its own valid_from.';
