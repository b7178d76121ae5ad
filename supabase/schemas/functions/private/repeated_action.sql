-- Finds what an operator's reference was used for before.
create function private.repeated_action(
  action text,
  reference_id text,
  request jsonb,
  out outcome text,
  out result jsonb,
  out action_id bigint
)
language plpgsql
set search_path = ''
as $$
begin
  -- Calls with one reference take turns, until the end of the transaction.
  perform pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('operator ' || repeated_action.reference_id, 0)
  );
  select
    case
      when a.action <> repeated_action.action or a.request <> repeated_action.request
      then 'reference_reused'
      when a.outcome = 'asked' then coalesce(c.outcome, 'asked')
      else 'replayed'
    end,
    coalesce(c.result, a.result), a.id
  into outcome, result, action_id
  from public.operator_actions a
  left join public.operator_actions c on c.completes = a.id
  where a.reference_id = repeated_action.reference_id;
end;
$$;

comment on function private.repeated_action is
  'To be called before anything is locked. outcome: null if the reference is new; replayed (the same request, with the result of the first call); reference_reused (another request); or, where Razorpay was asked, what came of it: asked as long as that is not known.';
