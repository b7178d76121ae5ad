-- Ends a hold by a call: returns what it reserved, charges what is captured, and collects what the user owes.
create function private.end_hold(
  hold public.holds,
  state public.hold_state,
  captured_credits integer default null,
  captured_quantity integer default null
)
returns public.holds
language plpgsql
set search_path = ''
as $$
declare
  v_hold public.holds;
  v_balance_before integer;
begin
  update public.holds h
  set state = end_hold.state,
      captured_credits = end_hold.captured_credits,
      ended_at = clock_timestamp()
  where h.user_id = (hold).user_id and h.reference_id = (hold).reference_id and h.state = (hold).state
  returning * into strict v_hold;

  select u.credits into strict v_balance_before from public.users u where u.id = v_hold.user_id;

  -- One that has expired has returned its credits already.
  if (hold).state = 'open' then
    update public.users u
    set held_credits = u.held_credits - v_hold.credits,
        open_holds = u.open_holds - 1,
        next_hold_expiry_at = (
          select min(h.expires_at) from public.holds h where h.user_id = u.id and h.state = 'open'
        )
    where u.id = v_hold.user_id;
  end if;

  if v_hold.captured_credits > 0 then
    perform private.post_entry(
      v_hold.user_id, 'debit', v_hold.captured_credits, v_hold.action_id, v_hold.reference_id,
      end_hold.captured_quantity, v_hold.price_id
    );
  end if;
  perform private.collect_debts(v_hold.user_id);

  update public.holds h
  set remaining_after_end = private.remaining_credits(u),
      balance_after_end = u.credits
  from public.users u
  where u.id = v_hold.user_id
    and h.user_id = v_hold.user_id and h.reference_id = v_hold.reference_id
  returning h.* into strict v_hold;

  -- A capture lowers the balance, and so does a debt that what was returned pays.
  perform private.tell_of_low_balance(
    v_hold.user_id, v_balance_before, v_hold.balance_after_end
  );
  return v_hold;
end;
$$;

comment on function private.end_hold is
  'state: captured or released. hold: as it is now, of a user who is locked. Returns it as it is then.';
