-- Takes credits back for a reversal. What is spent or reserved becomes a debt.
create function private.revoke_credits(user_id uuid, reversal_id text, credits integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_kind text;
  v_balance integer;
  v_available integer;
begin
  select u.credits, least(u.credits - u.held_credits, revoke_credits.credits)
  into strict v_balance, v_available
  from public.users u where u.id = revoke_credits.user_id for no key update;

  update public.payment_reversals r
  set credits_taken = r.credits_taken + revoke_credits.credits,
      credits_owed = r.credits_owed + revoke_credits.credits - v_available
  where r.id = revoke_credits.reversal_id
  returning r.kind into strict v_kind;

  update public.users u set debt_credits = u.debt_credits + revoke_credits.credits - v_available
  where u.id = revoke_credits.user_id;

  if v_available > 0 then
    perform private.post_entry(
      revoke_credits.user_id, 'debit', v_available, v_kind, revoke_credits.reversal_id
    );
  end if;
  perform private.tell_of_reversal(
    revoke_credits.user_id, 'credits.taken_back', revoke_credits.reversal_id, revoke_credits.credits
  );
  perform private.tell_of_low_balance(
    revoke_credits.user_id, v_balance, v_balance - v_available
  );
end;
$$;

comment on function private.revoke_credits is
  'The ledger gets one debit, with source refund or dispute, for as much as the balance allows without what is reserved.';
