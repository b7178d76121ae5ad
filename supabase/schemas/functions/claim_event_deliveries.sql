-- Hands out what is to be sent to an address now, each to one caller only.
create function public.claim_event_deliveries(url text, batch_size integer)
returns table (
  event_id uuid,
  address_id integer,
  lease_token uuid,
  type text,
  created_at timestamptz,
  user_id uuid,
  phone_number text,
  whatsapp_user_id text,
  credits integer,
  remaining_credits integer,
  sequence_number integer,
  order_id uuid,
  package_id text,
  reference_id text,
  data jsonb
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
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
$$;

comment on function public.claim_event_deliveries is
  'Returns at most batch_size deliveries with their events, the longest overdue first; one, now and then, for an address that is down; none for one that is paused or has asked to be left alone. finish_event_delivery ends a claim, with its lease_token. What it says of a person is as of now; user_id is the account that the figures belong to.';
