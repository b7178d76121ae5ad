-- Lets a price follow another one, and refuses to change what applied before.
create function private.keep_price_history()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_newest public.action_prices;
  v_earliest timestamptz;
begin
  if tg_op = 'INSERT' then
    select p.* into v_newest from public.action_prices p
    where p.action_id = new.action_id
    order by p.valid_from desc, p.id desc
    limit 1
    for update;
    -- After what is known already, which may be planned, and not in the past.
    v_earliest := greatest(transaction_timestamp(),
      case v_newest.valid_until when 'infinity' then v_newest.valid_from else v_newest.valid_until end);
    if v_newest.id is not null and new.valid_from < v_earliest then
      raise exception 'the next price of % can apply from % at the earliest', new.action_id, v_earliest
        using errcode = 'restrict_violation';
    end if;
    update public.action_prices p set valid_until = new.valid_from
    where p.id = v_newest.id and p.valid_until = 'infinity';
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
