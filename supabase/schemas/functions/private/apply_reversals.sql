-- Brings the credits that a payment's reversals have taken in line with the money that was returned.
create function private.apply_reversals(user_id uuid, payment_id text)
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
        -- Proportional, with the running total rounded down: partial refunds that add up to the
        -- whole payment take exactly its credits, and no number of reversals takes more.
        p.credits_granted
          * least(
              p.amount_paise,
              sum(case when r.is_money_gone then r.amount_paise else 0 end) over so_far
            )
          / p.amount_paise as due_so_far
      from public.payments p
      join public.payment_reversals r on r.payment_id = p.id
      where p.id = apply_reversals.payment_id
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
    -- Credits for the user come first, so that as little as possible becomes a debt.
    order by d.credits
  loop
    if v_reversal.credits < 0 then
      perform private.restore_credits(apply_reversals.user_id, v_reversal.id, -v_reversal.credits);
    else
      perform private.revoke_credits(apply_reversals.user_id, v_reversal.id, v_reversal.credits);
    end if;
  end loop;
end;
$$;

comment on function private.apply_reversals is
  'Idempotent: each reversal takes or returns only the difference between its share and what it has taken.';
