-- Moves the holds of a merged account to the account that stays, which has its credits by now.
create function private.move_holds(from_user_id uuid, into_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  -- An open hold replaces one with its reference that has ended.
  delete from public.holds h
  where h.user_id = into_user_id and h.state in ('released', 'expired') and exists (
    select from public.holds f
    where f.user_id = from_user_id and f.reference_id = h.reference_id and f.state = 'open'
  );
  -- What was captured stays with its entry, and what has ended stays where the reference has another hold.
  update public.holds h set user_id = into_user_id
  where h.user_id = from_user_id and h.state <> 'captured' and not exists (
    select from public.holds o where o.user_id = into_user_id and o.reference_id = h.reference_id
  );
  update public.users u
  set held_credits = coalesce(h.credits, 0),
      open_holds = coalesce(h.open_holds, 0),
      next_hold_expiry_at = h.next_expiry
  from (
    select sum(h.credits) as credits, count(*) as open_holds, min(h.expires_at) as next_expiry
    from public.holds h
    where h.user_id = into_user_id and h.state = 'open'
  ) h
  where u.id = into_user_id;
end;
$$;

comment on function private.move_holds is
  'Both users are locked.';
