-- Gives back credits that a reversal took: first by forgetting its debt, then to the balance.
create function private.give_back(user_id uuid, reversal_id text, credits integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_kind text;
  v_owed integer;
begin
  select r.kind, least(r.credits_owed, give_back.credits) into strict v_kind, v_owed
  from public.payment_reversals r where r.id = give_back.reversal_id for update;

  update public.payment_reversals r
  set credits_taken = r.credits_taken - give_back.credits,
      credits_owed = r.credits_owed - v_owed
  where r.id = give_back.reversal_id;

  update public.users u set debt_credits = u.debt_credits - v_owed
  where u.id = give_back.user_id;

  if give_back.credits > v_owed then
    perform private.post_entry(
      give_back.user_id, 'credit', give_back.credits - v_owed, v_kind, give_back.reversal_id
    );
    perform private.collect_debts(give_back.user_id);
  end if;
end;
$$;

comment on function private.give_back is
  'The ledger gets one credit, of source refund or dispute, for what had been taken from the balance.';
