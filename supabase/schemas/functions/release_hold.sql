-- Returns what a hold has reserved.
create function public.release_hold(
  phone_number text default null,
  whatsapp_user_id text default null,
  reference_id text default null
)
returns table (outcome text, user_id uuid, remaining_credits integer, released_credits integer)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_user public.users;
  v_hold public.holds;
begin
  if release_hold.reference_id is null then
    raise exception 'a hold is named by its reference' using errcode = 'invalid_parameter_value';
  end if;

  v_user := private.end_expired_holds(
    private.lock_user(release_hold.phone_number, release_hold.whatsapp_user_id)
  );
  select h.* into v_hold from public.holds h
  where h.user_id = v_user.id and h.reference_id = release_hold.reference_id;

  if (private.find_charge(v_user.id, release_hold.reference_id)).user_id is not null then
    outcome := 'hold_captured';
  elsif v_hold.user_id is null then
    outcome := 'hold_not_found';
  elsif v_hold.state = 'open' then
    outcome := 'released';
    v_hold := private.end_hold(v_hold, 'released');
  else
    outcome := 'replayed';
  end if;
  user_id := v_user.id;
  remaining_credits := v_hold.remaining_after_end;
  released_credits := v_hold.credits;
  return next;
end;
$$;

comment on function public.release_hold is
  'One row. outcome: released; replayed (released before, or expired: the figures are those of that moment); hold_captured (charged, by a capture or by a deduction); hold_not_found. Only released changes anything.';
