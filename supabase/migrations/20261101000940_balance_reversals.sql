-- Brings the credits that a payment's reversals took in line with the money that went back.
create function private.balance_reversals(user_id uuid, payment_id text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_reversal record;
begin
  for v_reversal in
    with shares as (
      select
        r.id,
        r.credits_taken,
        -- In proportion, rounded down on the whole: parts that add up to the payment add up to
        -- exactly its credits, and no number of refunds and disputes takes more than it granted.
        p.credits_granted::bigint
          * least(
              p.amount_paise::bigint,
              coalesce(sum(r.amount_paise) filter (where r.is_money_gone) over history, 0)
            )
          / p.amount_paise as due_with_it
      from public.payments p
      join public.payment_reversals r on r.payment_id = p.id
      where p.id = balance_reversals.payment_id
      window history as (order by r.created_at, r.id)
    ),
    changes as (
      select
        s.id,
        (s.due_with_it - lag(s.due_with_it, 1, 0::bigint) over (order by s.due_with_it)
          - s.credits_taken)::integer as credits
      from shares s
    )
    select c.id, c.credits from changes c where c.credits <> 0 order by c.credits, c.id
  loop
    if v_reversal.credits < 0 then
      perform private.give_back(
        balance_reversals.user_id, v_reversal.id, -v_reversal.credits
      );
    else
      perform private.take_back(balance_reversals.user_id, v_reversal.id, v_reversal.credits);
    end if;
  end loop;
end;
$$;
