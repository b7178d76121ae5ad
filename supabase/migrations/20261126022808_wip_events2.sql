-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP FUNCTION "public"."get_user"(text, text, text);

CREATE OR REPLACE FUNCTION private.tell (
  user_id  uuid,
  type     text,
  data     jsonb DEFAULT '{}'::jsonb,
  order_id uuid  DEFAULT NULL::uuid
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  insert into public.events
    (user_id, order_id, type, data, credits, remaining_credits, sequence_number)
  select u.id, tell.order_id, tell.type, tell.data, u.credits,
    case when u.id is not null then private.remaining_credits(u) end, u.transaction_count
  from (values (tell.user_id)) about (user_id)
  left join public.users u on u.id = about.user_id;
end;
$function$;

CREATE OR REPLACE FUNCTION public.claim_event_deliveries (
  url        text,
  batch_size integer
)
  RETURNS TABLE (
    event_id          uuid,
    address_id        integer,
    lease_token       uuid,
    type              text,
    created_at        timestamp with time zone,
    user_id           uuid,
    phone_number      text,
    whatsapp_user_id  text,
    credits           integer,
    remaining_credits integer,
    sequence_number   integer,
    order_id          uuid,
    package_id        text,
    reference_id      text,
    data              jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  -- Twice as long as an attempt may take.
  v_lease constant interval := '30 seconds';
  v_max_under_way constant integer := 10;
  v_failures_of_a_down_address constant integer := 3;
  v_address public.event_addresses;
  v_is_down boolean;
  v_free integer;
begin
  -- Calls for one address take turns, so that together they send it no more than it can take.
  select a.* into v_address from public.event_addresses a
  where a.url = claim_event_deliveries.url and a.removed_at is null
  for no key update;
  v_is_down := v_address.failures >= v_failures_of_a_down_address;
  if v_address.id is null
    or v_address.paused_at is not null
    or v_address.not_before > clock_timestamp()
    or v_is_down and v_address.next_probe_at > clock_timestamp()
  then
    return;
  end if;

  select case when v_is_down then 1 else v_max_under_way end - count(*) into v_free
  from public.event_deliveries d
  where d.address_id = v_address.id and d.lease_token is not null
    and d.next_attempt_at > clock_timestamp();

  return query
  with due as (
    select d.event_id
    from public.event_deliveries d
    where d.address_id = v_address.id
      and d.state = 'pending'
      and d.next_attempt_at <= statement_timestamp()
    order by d.next_attempt_at
    limit greatest(0, least(claim_event_deliveries.batch_size, v_free))
    for no key update skip locked
  ),
  claimed as (
    update public.event_deliveries d
    set attempts = d.attempts + 1,
        lease_token = gen_random_uuid(),
        last_attempt_at = clock_timestamp(),
        -- A claim that is never finished, because the caller was cut off, expires.
        next_attempt_at = clock_timestamp() + v_lease
    where d.address_id = v_address.id
      and d.event_id = any (array(select due.event_id from due))
    returning d.*
  )
  select e.id, c.address_id, c.lease_token, e.type, e.created_at, e.user_id,
    case when who.id is null then o.phone_number else who.phone_number end,
    case
      when who.id is null then o.whatsapp_user_id
      else (
        select i.value from public.identities i
        where i.user_id = who.id and i.kind = 'whatsapp_user_id'
        order by i.created_at desc
        limit 1
      )
    end,
    e.credits, e.remaining_credits, e.sequence_number, e.order_id, o.package_id,
    (
      select r.reference_id from public.order_references r
      where r.order_id = e.order_id
      order by r.created_at desc
      limit 1
    ),
    e.data
  from claimed c
  join public.events e on e.id = c.event_id
  left join public.payment_orders o on o.id = e.order_id
  left join public.users u on u.id = e.user_id
  -- Whoever the number belongs to now: the account may have been merged into another one.
  left join public.users who
    on who.id = case
      when u.id is null then private.find_user_id(o.phone_number, o.whatsapp_user_id)
      else coalesce(u.merged_into, u.id)
    end;

  if found and v_is_down then
    update public.event_addresses a set next_probe_at = clock_timestamp() + v_lease
    where a.id = v_address.id;
  end if;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."claim_event_deliveries"(text, integer) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.finish_event_delivery (
  event_id            uuid,
  address_id          integer,
  lease_token         uuid,
  http_status         integer DEFAULT NULL::integer,
  error               text    DEFAULT NULL::text,
  retry_after_seconds integer DEFAULT NULL::integer
)
  RETURNS text
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_waits constant interval[] := array[
    '5 seconds', '30 seconds', '2 minutes', '10 minutes', '30 minutes', '1 hour', '2 hours', '4 hours',
    '8 hours'
  ];
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
      next_probe_at = clock_timestamp() + v_jitter * least(
        v_longest_probe_wait,
        interval '5 seconds' * power(2, least(a.failures, 20) + 1 - v_failures_of_a_down_address)
      ),
      not_before = greatest(a.not_before, clock_timestamp() + v_retry_after)
  where a.id = v_address.id;

  if clock_timestamp() >= v_delivery.give_up_at then
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
    v_delivery.give_up_at
  )
  where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
  return 'failed';
end;
$function$;

REVOKE ALL ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.get_user (
  phone_number     text DEFAULT NULL::text,
  whatsapp_user_id text DEFAULT NULL::text,
  caller_address   text DEFAULT NULL::text
)
  RETURNS TABLE (
    outcome             text,
    user_id             uuid,
    credits             integer,
    created_at          timestamp with time zone,
    retry_after_seconds integer,
    remaining_credits   integer,
    reserved_credits    integer,
    low_balance         boolean
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_exceeded_scope text;
  v_user public.users;
begin
  -- Anyone who can reach a page could otherwise farm free credits with made-up numbers.
  if get_user.caller_address is not null
    and private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null
  then
    -- Another first contact may be under way. Wait for it before counting anything.
    perform private.lock_identities(get_user.phone_number, get_user.whatsapp_user_id);
    if private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits('create_user', get_user.caller_address) c;
      if v_exceeded_scope is not null then
        outcome := 'rate_limited';
        return next;
        return;
      end if;
    end if;
  end if;

  v_user := private.ensure_user(get_user.phone_number, get_user.whatsapp_user_id);
  return query select 'found', v_user.id, v_user.credits, v_user.created_at, 0,
    private.remaining_credits(v_user), private.reserved_credits(v_user),
    v_user.credits <= private.low_balance_credits();
end;
$function$;

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.hand_out_events (
  urls       text[],
  batch_size integer
)
  RETURNS integer
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
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
  -- called; a paused address keeps its queue.
  update public.event_deliveries d
  set state = 'dead', next_attempt_at = null, lease_token = null, finished_at = clock_timestamp()
  where d.ctid = any (array(
    select p.ctid
    from public.event_deliveries p
    join public.event_addresses a on a.id = p.address_id and a.paused_at is null
    where p.state = 'pending' and p.give_up_at < statement_timestamp() - interval '1 hour'
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
$function$;

REVOKE ALL ON FUNCTION "public"."hand_out_events"(text[], integer) FROM PUBLIC, "anon", "authenticated";

COMMENT ON FUNCTION "public"."claim_event_deliveries"(text, integer) IS 'Returns at most batch_size deliveries with their events, the longest overdue first; one, now and then, for an address that is down; none for one that is paused or has asked to be left alone. finish_event_delivery ends a claim, with its lease_token. What it says of a person is as of now; user_id is the account that the figures belong to.';

COMMENT ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) IS 'http_status: null if there was no answer, and error then says why. delivered: the address answered with 2xx. failed: to be sent again, and not before retry_after_seconds, of which an hour counts. dead: it was sent for the last time. paused: the address answered with 410, and gets nothing more until an operator resumes it. lease_lost: another caller has claimed it since, so nothing changed.';

COMMENT ON FUNCTION "public"."get_user"(text, text, text) IS 'The user of a phone number (E.164) or a WhatsApp user id, created on first contact. One row. outcome: found; rate_limited (too many unknown numbers from caller_address or in total; nothing was created).';

COMMENT ON FUNCTION "public"."hand_out_events"(text[], integer) IS 'urls: the addresses of EVENTS_URL. Returns how many events are no longer new, at most batch_size. Concurrent callers get different ones. An event older than three days is not sent. The queue of an address that has not been named for an hour ends.';

REVOKE ALL ON FUNCTION "public"."claim_event_deliveries"(text, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."claim_event_deliveries"(text, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."claim_event_deliveries"(text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."hand_out_events"(text[], integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."hand_out_events"(text[], integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."hand_out_events"(text[], integer) TO "service_role";
