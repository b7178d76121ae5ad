-- Takes credits back for a reversal; what the user has spent already becomes a debt.
create function private.take_back(user_id uuid, reversal_id text, credits integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_kind text;
  v_available integer;
begin
  select least(u.credits, take_back.credits) into strict v_available
  from public.users u where u.id = take_back.user_id for no key update;

  update public.payment_reversals r
  set credits_taken = r.credits_taken + take_back.credits,
      credits_owed = r.credits_owed + take_back.credits - v_available
  where r.id = take_back.reversal_id
  returning r.kind into strict v_kind;

  update public.users u set debt_credits = u.debt_credits + take_back.credits - v_available
  where u.id = take_back.user_id;

  if v_available > 0 then
    perform private.post_entry(
      take_back.user_id, 'debit', v_available, v_kind, take_back.reversal_id
    );
  end if;
end;
$$;

comment on function private.take_back is
  'The ledger gets one debit, of source refund or dispute, for what the balance can give.';
