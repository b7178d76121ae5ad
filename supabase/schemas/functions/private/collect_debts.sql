-- Pays off what a user owes, oldest debt first, as far as credits go that are not reserved.
create function private.collect_debts(user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_available integer;
  v_debt integer;
  v_reversal record;
  v_paid integer;
begin
  select u.credits - u.held_credits, u.debt_credits into strict v_available, v_debt
  from public.users u
  where u.id = collect_debts.user_id
  for no key update;

  if v_debt = 0 then
    return;
  end if;

  for v_reversal in
    select r.id, r.kind, r.credits_owed
    from public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    join public.payment_orders o on o.id = p.order_id
    where o.user_id = collect_debts.user_id and r.credits_owed > 0
    order by r.created_at, r.id
  loop
    v_paid := least(v_available, v_reversal.credits_owed);
    exit when v_paid = 0;
    update public.payment_reversals r set credits_owed = r.credits_owed - v_paid
    where r.id = v_reversal.id;
    update public.users u set debt_credits = u.debt_credits - v_paid
    where u.id = collect_debts.user_id;
    perform private.post_entry(
      collect_debts.user_id, 'debit', v_paid, v_reversal.kind, v_reversal.id
    );
    v_available := v_available - v_paid;
  end loop;
end;
$$;

comment on function private.collect_debts is
  'To be called after every entry that adds credits, and whenever a hold returns some.';
