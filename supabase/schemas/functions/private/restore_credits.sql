-- Returns credits that a reversal took: first by canceling its debt, then what was forgiven of it, then
-- by adding to the balance.
create function private.restore_credits(user_id uuid, reversal_id text, credits integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_kind text;
  v_owed integer;
  v_forgiven integer;
begin
  select r.kind, least(r.credits_owed, restore_credits.credits), r.credits_forgiven
  into strict v_kind, v_owed, v_forgiven
  from public.payment_reversals r where r.id = restore_credits.reversal_id for update;
  -- What was forgiven was never taken from the balance.
  v_forgiven := least(v_forgiven, restore_credits.credits - v_owed);

  update public.payment_reversals r
  set credits_taken = r.credits_taken - restore_credits.credits,
      credits_owed = r.credits_owed - v_owed,
      credits_forgiven = r.credits_forgiven - v_forgiven
  where r.id = restore_credits.reversal_id;

  update public.users u set debt_credits = u.debt_credits - v_owed
  where u.id = restore_credits.user_id;

  if restore_credits.credits > v_owed + v_forgiven then
    perform private.post_entry(
      restore_credits.user_id, 'credit', restore_credits.credits - v_owed - v_forgiven, v_kind,
      restore_credits.reversal_id
    );
    perform private.collect_debts(restore_credits.user_id);
  end if;
  perform private.tell_of_reversal(
    restore_credits.user_id, 'credits.restored', restore_credits.reversal_id, restore_credits.credits
  );
end;
$$;

comment on function private.restore_credits is
  'The ledger gets one credit, with source refund or dispute, for what had been taken from the balance.';
