-- Sends events again, by an operator's decision.
create function public.resend_events(
  operator text,
  reason text,
  reference_id text,
  event_id uuid default null,
  created_from timestamptz default null,
  created_before timestamptz default null,
  operator_id uuid default null
)
returns table (outcome text, result jsonb)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_max_events constant integer := 10000;
  v_request constant jsonb := jsonb_strip_nulls(jsonb_build_object(
    'event_id', resend_events.event_id,
    'from', resend_events.created_from,
    'to', resend_events.created_before
  ));
  v_event_ids uuid[];
  v_addresses integer;
begin
  if num_nonnulls(resend_events.event_id, resend_events.created_from) <> 1
    or (resend_events.created_from is null) <> (resend_events.created_before is null)
  then
    raise exception 'either one event or a period is sent again'
      using errcode = 'invalid_parameter_value';
  end if;

  select r.outcome, r.result into outcome, result
  from private.repeated_action('resend-events', resend_events.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  select array_agg(e.id) into v_event_ids
  from (
    select e.id from public.events e
    where e.id = resend_events.event_id
      or e.created_at >= resend_events.created_from and e.created_at < resend_events.created_before
    limit v_max_events + 1
  ) e;
  if resend_events.event_id is not null and v_event_ids is null then
    outcome := 'event_not_found';
  elsif cardinality(v_event_ids) > v_max_events then
    outcome := 'too_many_events';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  -- Whatever kept the addresses from being sent to is said to be over. What waited for one that was
  -- paused is sent at once and has three days from now.
  with resumed as (
    update public.event_addresses a
    set paused_at = null, failures = 0, failing_since = null, next_probe_at = null, not_before = null,
        give_up_not_before = case
          when former.paused_at is null then a.give_up_not_before
          else clock_timestamp() + interval '3 days'
        end
    from (select p.id, p.paused_at from public.event_addresses p for no key update) former
    where a.id = former.id and a.removed_at is null
    returning a.id, former.paused_at
  ),
  waiting as (
    update public.event_deliveries d
    set next_attempt_at = clock_timestamp()
    from resumed r
    where d.address_id = r.id and r.paused_at is not null
      and d.state = 'pending' and d.lease_token is null
      -- The few that had failed before. All others are due, however many wait.
      and d.next_attempt_at > statement_timestamp()
      and d.event_id <> all (coalesce(v_event_ids, '{}'))
  )
  select count(*) into v_addresses from resumed;

  if v_addresses > 0 then
    update public.events e
    set state = 'handed_out', handed_out_at = coalesce(e.handed_out_at, clock_timestamp())
    where e.id = any (v_event_ids) and e.state <> 'handed_out';
    insert into public.event_deliveries as d (event_id, address_id)
    select e.id, a.id
    from public.events e
    cross join public.event_addresses a
    where e.id = any (v_event_ids) and a.removed_at is null
    on conflict (event_id, address_id) do update
    set state = 'pending', attempts = 0, next_attempt_at = excluded.next_attempt_at,
        give_up_at = excluded.give_up_at, lease_token = null, finished_at = null
    -- One that is on its way right now arrives anyway.
    where d.lease_token is null or d.next_attempt_at <= clock_timestamp();
  end if;

  outcome := 'done';
  result := jsonb_build_object(
    'resent', case when v_addresses > 0 then coalesce(cardinality(v_event_ids), 0) else 0 end
  );
  perform private.record_action(
    'resend-events', resend_events.operator, resend_events.reason,
    reference_id => resend_events.reference_id, request => v_request,
    user_id => (select e.user_id from public.events e where e.id = resend_events.event_id),
    result => result, operator_id => resend_events.operator_id
  );
  return next;
end;
$$;

comment on function public.resend_events is
  'One row. Either event_id, or the events from created_from until before created_before, whatever became of them; receivers know them by their id. Addresses that were paused or down are sent to again. outcome: done and replayed, with result {resent}, the number of events (0 if there is no address); reference_reused; event_not_found; too_many_events (more than 10,000). Only done changes anything.';
