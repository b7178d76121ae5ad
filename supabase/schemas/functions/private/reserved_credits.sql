-- What a user has reserved, without the holds that have expired and that nothing has ended yet.
create function private.reserved_credits(holder public.users)
returns integer
language plpgsql
stable
set search_path = ''
as $$
begin
  if (holder).next_hold_expiry_at <= clock_timestamp() then
    return (
      select coalesce(sum(h.credits), 0) from public.holds h
      where h.user_id = (holder).id and h.state = 'open' and h.expires_at > clock_timestamp()
    );
  end if;
  return (holder).held_credits;
end;
$$;

comment on function private.reserved_credits is
  'At most held_credits, which may still count them.';
