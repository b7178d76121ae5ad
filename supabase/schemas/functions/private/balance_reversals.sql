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
    with dues as (
      select
        r.id,
        r.credits_taken,
        row_number() over so_far as place,
        -- In proportion, rounded down on the whole: parts that add up to the payment add up to
        -- exactly its credits, and no number of refunds and disputes takes more than it granted.
        p.credits_granted
          * least(
              p.amount_paise,
              sum(case when r.is_money_gone then r.amount_paise else 0 end) over so_far
            )
          / p.amount_paise as due_so_far
      from public.payments p
      join public.payment_reversals r on r.payment_id = p.id
      where p.id = balance_reversals.payment_id
      window so_far as (order by r.created_at, r.id)
    ),
    differences as (
      select
        d.id,
        d.due_so_far - lag(d.due_so_far, 1, 0::bigint) over (order by d.place) - d.credits_taken
          as credits
      from dues d
    )
    select d.id, d.credits::integer from differences d where d.credits <> 0
    -- What goes to the user comes first, so that as little as possible becomes a debt.
    order by d.credits
  loop
    if v_reversal.credits < 0 then
      perform private.give_back(balance_reversals.user_id, v_reversal.id, -v_reversal.credits);
    else
      perform private.take_back(balance_reversals.user_id, v_reversal.id, v_reversal.credits);
    end if;
  end loop;
end;
$$;

comment on function private.balance_reversals is
  'Idempotent: each reversal takes or gives back only the difference between its share and what it took.';
