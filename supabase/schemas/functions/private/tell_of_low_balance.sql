-- Tells the bot that a balance has fallen to the threshold, or to nothing.
create function private.tell_of_low_balance(
  user_id uuid,
  balance_before integer,
  balance_after integer
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_threshold constant integer := private.low_balance_credits();
begin
  if balance_after = 0 and balance_before > 0 then
    perform private.tell(user_id, 'credits.exhausted');
  elsif balance_after <= v_threshold and balance_before > v_threshold then
    perform private.tell(
      user_id, 'credits.low', jsonb_build_object('threshold_credits', v_threshold)
    );
  end if;
end;
$$;

comment on function private.tell_of_low_balance is
  'Looks at the balance, whatever is reserved of it. Only the crossing is told: a balance that was low before, or has risen, is no news.';
