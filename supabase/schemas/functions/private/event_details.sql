-- What an operator needs to know about an event.
create function private.event_details(event public.events)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'event_id', (event).id,
    'type', (event).type,
    'created_at', (event).created_at,
    'state', (event).state,
    'order_id', (event).order_id,
    'credits', (event).credits,
    'remaining_credits', (event).remaining_credits,
    'data', (event).data,
    'deliveries', coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'address', private.shown_address(d.url),
          'state', d.state,
          'attempts', d.attempts,
          'last_failure', case
            when d.last_status between 200 and 299 then null
            else coalesce(d.last_error, 'status ' || d.last_status)
          end,
          'last_attempt_at', d.last_attempt_at,
          'next_attempt_at', d.next_attempt_at,
          'finished_at', d.finished_at
        )
        order by d.address_id
      )
      from (
        select d.*, a.url
        from public.event_deliveries d
        join public.event_addresses a on a.id = d.address_id
        where d.event_id = (event).id
        order by d.address_id
        limit 20
      ) d
    ), '[]')
  );
end;
$$;

comment on function private.event_details is
  'Part of get_customer. last_failure: the status that was answered, or why there was no answer; null where the last attempt succeeded or there was none.';
