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
  -- One change of an action at a time, so that each statement from here on sees the one before.
  perform pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('prices of ' || new.action_id, 0)
  );

  if tg_op = 'INSERT' then
    -- One that was withdrawn has no time of its own, and does not count.
    select p.* into v_newest from public.action_prices p
    where p.action_id = new.action_id and p.valid_until > p.valid_from
    order by p.valid_from desc
    limit 1;
    -- After what is known already, which may be planned, and not in the past.
    v_earliest := greatest(transaction_timestamp(),
      case v_newest.valid_until when 'infinity' then v_newest.valid_from else v_newest.valid_until end);
    if v_newest.id is not null and (
      new.valid_from < v_earliest
      -- To end the newest price when it begins would be to withdraw it.
      or new.valid_from = v_newest.valid_from
    ) then
      raise exception 'the next price of % can apply % at the earliest', new.action_id,
        case v_newest.valid_from when v_earliest then 'after ' else 'from ' end || v_earliest
        using errcode = 'restrict_violation',
          hint = 'To withdraw a planned price, set its valid_until to its own valid_from.';
    end if;
    update public.action_prices p set valid_until = new.valid_from
    where p.id = v_newest.id and p.valid_until = 'infinity';
  elsif old.valid_until <= greatest(old.valid_from, transaction_timestamp())
    or new.valid_until < transaction_timestamp()
    -- Withdrawn, but somebody may have been charged by it already.
    or new.valid_until = new.valid_from and new.valid_from <= clock_timestamp()
    or (to_jsonb(new) - 'valid_until') <> (to_jsonb(old) - 'valid_until')
  then
    raise exception 'a price is never changed: add another row, or set valid_until to retire the action'
      using errcode = 'restrict_violation',
        hint = 'What has ended or was withdrawn stays as it is, and nothing ends in the past.';
  elsif new.valid_until > old.valid_until and exists (
    select from public.action_prices p
    where p.action_id = new.action_id and p.id <> new.id
      and tstzrange(p.valid_from, p.valid_until) && tstzrange(old.valid_until, new.valid_until)
  ) then
    raise exception 'another price of % is planned before %', new.action_id, new.valid_until
      using errcode = 'restrict_violation',
        hint = 'To withdraw a planned price, set its valid_until to its own valid_from.';
  end if;
  return new;
end;
$$;

comment on function private.keep_price_history is
  'Trigger of action_prices. A new row ends the one before it, at its own valid_from. One whose moment has not come is withdrawn by ending it then.';
