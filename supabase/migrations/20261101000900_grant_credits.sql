-- Adds credits to a balance and writes the ledger entry for it.
create function private.grant_credits(
  user_id uuid,
  credits integer,
  source text,
  reference_id text
)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_balance_after integer;
begin
  if grant_credits.credits is null or grant_credits.credits < 1 then
    raise exception 'a grant is at least one credit, not %', grant_credits.credits
      using errcode = 'invalid_parameter_value';
  end if;

  with granted as (
    update public.users u
    set credits = u.credits + grant_credits.credits,
        transaction_count = u.transaction_count + 1
    where u.id = grant_credits.user_id
    returning u.id, u.credits, u.transaction_count
  )
  insert into public.credit_transactions
    (user_id, sequence_number, action, credits, source, reference_id, balance_after)
  select g.id, g.transaction_count, 'credit', grant_credits.credits, grant_credits.source,
    grant_credits.reference_id, g.credits
  from granted g
  returning balance_after into strict v_balance_after;

  return v_balance_after;
end;
$$;

comment on function private.grant_credits(uuid, integer, text, text) is
  'Returns the balance after the grant. A reference that was granted before is refused by the ledger''s unique key.';

revoke execute on function private.grant_credits(uuid, integer, text, text)
  from public, anon, authenticated, service_role;
