-- Reduces one debt of a user, because it was paid off or forgiven.
create function private.reduce_debt(debt private.debts, credits integer, is_forgiven boolean)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_forgiven constant integer := case when is_forgiven then credits else 0 end;
begin
  if (debt).source = 'adjustment' then
    update public.adjustments a
    set credits_owed = a.credits_owed - reduce_debt.credits,
        credits_forgiven = a.credits_forgiven + v_forgiven
    where a.reference_id = (debt).reference_id;
  else
    update public.payment_reversals r
    set credits_owed = r.credits_owed - reduce_debt.credits,
        credits_forgiven = r.credits_forgiven + v_forgiven
    where r.id = (debt).reference_id;
  end if;
  update public.users u set debt_credits = u.debt_credits - reduce_debt.credits
  where u.id = (debt).user_id;
end;
$$;

comment on function private.reduce_debt is
  'The user is locked. The ledger''s entry for what was paid off is up to the caller.';
