-- Stores what became of an attempt to deliver an event, and plans the next one.
create function public.finish_event_delivery(
  event_id uuid,
  address_id integer,
  lease_token uuid,
  http_status integer default null,
  error text default null,
  retry_after_seconds integer default null
)
returns text
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_waits constant interval[] := array[
    '5 seconds', '30 seconds', '2 minutes', '10 minutes', '30 minutes', '1 hour', '2 hours', '4 hours',
    '8 hours'
  ];
  v_shortest_probe_wait constant interval := '5 seconds';
  v_longest_probe_wait constant interval := '15 minutes';
  v_failures_of_a_down_address constant integer := 3;
  -- The address says how long to wait, but not for how long nobody is told anything.
  v_retry_after constant interval := make_interval(
    secs => least(greatest(finish_event_delivery.retry_after_seconds, 0), 3600)
  );
  -- So that what failed together is not sent together again.
  v_jitter constant double precision := 0.8 + 0.4 * random();
  v_address public.event_addresses;
  v_delivery public.event_deliveries;
  v_give_up_at timestamptz;
begin
  select a.* into v_address from public.event_addresses a
  where a.id = finish_event_delivery.address_id
  for no key update;
  select d.* into v_delivery from public.event_deliveries d
  where d.event_id = finish_event_delivery.event_id
    and d.address_id = finish_event_delivery.address_id
    -- Whoever has claimed it since says what became of it.
    and d.lease_token = finish_event_delivery.lease_token
  for no key update;
  if not found then
    return 'lease_lost';
  end if;

  update public.event_deliveries d
  set lease_token = null,
      last_status = finish_event_delivery.http_status,
      last_error = finish_event_delivery.error
  where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;

  if finish_event_delivery.http_status between 200 and 299 then
    update public.event_deliveries d
    set state = 'delivered', next_attempt_at = null, finished_at = clock_timestamp()
    where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
    update public.event_addresses a set failures = 0, failing_since = null, next_probe_at = null
    where a.id = v_address.id and a.failures > 0;
    -- It was down and is back: what failed meanwhile did not fail by itself.
    if v_address.failures >= v_failures_of_a_down_address then
      update public.event_deliveries d
      set next_attempt_at = least(d.next_attempt_at, clock_timestamp())
      where d.address_id = v_address.id
        and d.state = 'pending'
        and d.lease_token is null
        and d.last_attempt_at >= v_address.failing_since - interval '1 minute';
    end if;
    return 'delivered';
  elsif finish_event_delivery.http_status = 410 then
    update public.event_deliveries d set next_attempt_at = clock_timestamp()
    where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
    update public.event_addresses a set paused_at = coalesce(a.paused_at, clock_timestamp())
    where a.id = v_address.id;
    return 'paused';
  end if;

  update public.event_addresses a
  set failures = a.failures + 1,
      failing_since = coalesce(a.failing_since, clock_timestamp()),
      -- As long as it has been failing, and not by how many attempts failed: ten that were under way
      -- together are one outage, which may be over in a second.
      next_probe_at = clock_timestamp() + v_jitter * least(
        v_longest_probe_wait,
        greatest(v_shortest_probe_wait, clock_timestamp() - a.failing_since)
      ),
      not_before = greatest(a.not_before, clock_timestamp() + v_retry_after),
      last_failure = coalesce(
        finish_event_delivery.error, 'status ' || finish_event_delivery.http_status
      )
  where a.id = v_address.id;

  v_give_up_at := greatest(v_delivery.give_up_at, v_address.give_up_not_before);
  if clock_timestamp() >= v_give_up_at then
    update public.event_deliveries d
    set state = 'dead', next_attempt_at = null, finished_at = clock_timestamp()
    where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
    return 'dead';
  end if;
  update public.event_deliveries d
  set next_attempt_at = least(
    clock_timestamp() + greatest(
      v_jitter * v_waits[least(v_delivery.attempts, array_length(v_waits, 1))],
      v_retry_after
    ),
    v_give_up_at
  )
  where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
  return 'failed';
end;
$$;

comment on function public.finish_event_delivery is
  'http_status: null if there was no answer, and error then says why. delivered: the address answered with 2xx. failed: to be sent again, and not before retry_after_seconds, of which an hour counts. dead: it was sent for the last time. paused: the address answered with 410, and gets nothing more until an operator resumes it. lease_lost: another caller has claimed it since, so nothing changed.';
