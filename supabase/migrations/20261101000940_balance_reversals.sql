-- Brings the credits that a payment's reversals took in line with the money that went back.
create function private.balance_reversals(user_id uuid, payment_id text, newest_reversal_id text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_due integer;
  v_taken integer;
  v_reversal record;
  v_given integer;
begin
  -- In proportion, rounded down on the whole: parts that add up to the payment add up to exactly
  -- its credits, and no number of refunds and disputes takes more than it granted.
  select
    p.credits_granted::bigint
      * least(
          p.amount_paise::bigint,
          coalesce(sum(r.amount_paise) filter (where r.is_money_gone), 0)
        )
      / p.amount_paise,
    coalesce(sum(r.credits_taken), 0)
  into strict v_due, v_taken
  from public.payments p
  left join public.payment_reversals r on r.payment_id = p.id
  where p.id = balance_reversals.payment_id
  group by p.id;

  if v_due > v_taken then
    perform private.take_back(
      balance_reversals.user_id, balance_reversals.newest_reversal_id, v_due - v_taken
    );
  end if;

  -- What was taken for money that came back returns from the reversals that no longer stand.
  for v_reversal in
    select r.id, r.credits_taken
    from public.payment_reversals r
    where r.payment_id = balance_reversals.payment_id and r.credits_taken > 0
    order by r.is_money_gone, r.id = balance_reversals.newest_reversal_id desc, r.id
  loop
    v_given := least(v_reversal.credits_taken, v_taken - v_due);
    exit when v_given <= 0;
    perform private.give_back(balance_reversals.user_id, v_reversal.id, v_given);
    v_taken := v_taken - v_given;
  end loop;
end;
$$;

comment on function private.balance_reversals(uuid, text, text) is
  'Idempotent: it takes or gives back only the difference between what is due and what was taken.';

revoke execute on function private.balance_reversals(uuid, text, text)
  from public, anon, authenticated, service_role;
