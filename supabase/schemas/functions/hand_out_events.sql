-- Gives new events to the addresses that they are to be sent to.
create function public.hand_out_events(urls text[], batch_size integer)
returns integer
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
declare
  -- Runs may name different addresses for a while after the setting has changed.
  v_unnamed_for constant interval := '1 hour';
  v_max_age constant interval := '3 days';
  v_count integer;
begin
  -- Not at every run, because runs come every few seconds.
  update public.event_addresses a
  set named_at = clock_timestamp(), removed_at = null
  where a.url = any (hand_out_events.urls)
    and (a.named_at < clock_timestamp() - interval '5 minutes' or a.removed_at is not null);
  insert into public.event_addresses (url)
  select named.url from unnest(hand_out_events.urls) with ordinality named (url, position)
  where not exists (select from public.event_addresses a where a.url = named.url)
  order by named.position
  on conflict (url) do nothing;

  update public.event_addresses a set removed_at = clock_timestamp()
  where a.removed_at is null
    and a.url <> all (hand_out_events.urls)
    and a.named_at < clock_timestamp() - v_unnamed_for;
  update public.event_deliveries d
  set state = 'ended', next_attempt_at = null, lease_token = null, finished_at = clock_timestamp()
  where d.ctid = any (array(
    select p.ctid
    from public.event_addresses a
    join public.event_deliveries p on p.address_id = a.id and p.state = 'pending'
    where a.removed_at is not null
    limit 10000
    for update of p skip locked
  ));

  -- The last attempt is at give_up_at. These have missed it, because their address was down or nobody
  -- called; a paused address keeps its queue, and so does one that was resumed.
  update public.event_deliveries d
  set state = 'dead', next_attempt_at = null, lease_token = null, finished_at = clock_timestamp()
  where d.ctid = any (array(
    select p.ctid
    from public.event_deliveries p
    join public.event_addresses a on a.id = p.address_id and a.paused_at is null
    where p.state = 'pending' and p.give_up_at < statement_timestamp() - interval '1 hour'
      and coalesce(a.give_up_not_before, '-infinity') < statement_timestamp() - interval '1 hour'
    limit 10000
    for update of p skip locked
  ));

  -- Events that nobody wants to hear stay as they are. Which ones are new is told by the row and not by
  -- a position, because transactions do not commit in the order in which they began.
  if not exists (select from public.event_addresses a where a.removed_at is null) then
    return 0;
  end if;
  with due as (
    select e.id, e.created_at
    from public.events e
    where e.state = 'new'
    order by e.created_at
    limit hand_out_events.batch_size
    for no key update skip locked
  ),
  handed_out as (
    update public.events e
    set state = case
          when d.created_at < clock_timestamp() - v_max_age then 'not_sent' else 'handed_out'
        end,
        handed_out_at = clock_timestamp()
    from due d
    where e.id = d.id
    returning e.id, e.state, e.created_at
  ),
  delivery as (
    insert into public.event_deliveries (event_id, address_id, next_attempt_at)
    -- The oldest first.
    select h.id, a.id, h.created_at
    from handed_out h
    cross join public.event_addresses a
    where h.state = 'handed_out' and a.removed_at is null
  )
  select count(*) into v_count from handed_out;
  return v_count;
end;
$$;

comment on function public.hand_out_events is
  'urls: the addresses of EVENTS_URL. Returns how many events are no longer new, at most batch_size. Concurrent callers get different ones. An event older than three days is not sent. The queue of an address that has not been named for an hour ends.';
