-- Pays off what a user owes, oldest debt first, as far as credits go that are not reserved.
create function private.collect_debts(user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_available integer;
  v_debt_credits integer;
  v_debt private.debts;
  v_paid integer;
begin
  select u.credits - u.held_credits, u.debt_credits into strict v_available, v_debt_credits
  from public.users u
  where u.id = collect_debts.user_id
  for no key update;

  if v_debt_credits = 0 then
    return;
  end if;

  for v_debt in
    select d.* from private.debts d
    where d.user_id = collect_debts.user_id
    order by d.created_at, d.reference_id
  loop
    v_paid := least(v_available, v_debt.credits_owed);
    exit when v_paid = 0;
    perform private.reduce_debt(v_debt, v_paid, is_forgiven => false);
    perform private.post_entry(
      collect_debts.user_id, 'debit', v_paid, v_debt.source, v_debt.reference_id
    );
    v_available := v_available - v_paid;
  end loop;
end;
$$;

comment on function private.collect_debts is
  'To be called after every entry that adds credits, and whenever a hold returns some.';
