-- Changes a balance and writes the ledger entry for it.
create function private.post_entry(
  user_id uuid,
  action text,
  credits integer,
  source text,
  reference_id text,
  quantity integer default null,
  price_id integer default null,
  reserved_credits integer default 0
)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_delta constant integer := case post_entry.action
    when 'credit' then post_entry.credits
    when 'debit' then -post_entry.credits
  end;
  v_balance_after integer;
begin
  if post_entry.credits is null or post_entry.credits < 1 then
    raise exception 'an entry moves at least one credit, not %', post_entry.credits
      using errcode = 'invalid_parameter_value';
  end if;

  with moved as (
    update public.users u
    set credits = u.credits + v_delta,
        transaction_count = u.transaction_count + 1
    where u.id = post_entry.user_id
    returning u.*
  )
  insert into public.credit_transactions
    (user_id, sequence_number, action, credits, source, reference_id, balance_after, quantity,
      price_id, remaining_after)
  select m.id, m.transaction_count, post_entry.action, post_entry.credits, post_entry.source,
    post_entry.reference_id, m.credits, post_entry.quantity, post_entry.price_id,
    greatest(0, m.credits - m.held_credits - m.debt_credits - post_entry.reserved_credits)
  from moved m
  returning balance_after into strict v_balance_after;

  return v_balance_after;
end;
$$;

comment on function private.post_entry is
  'Returns the balance after the entry. reserved_credits: what the user has reserved besides, by holds that follow the entry. Constraints reject a balance below zero and a reference that was posted before.';
