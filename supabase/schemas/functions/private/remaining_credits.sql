-- What a user can spend: the balance less what is reserved and owed.
create function private.remaining_credits(holder public.users)
returns integer
language plpgsql
stable
set search_path = ''
as $$
begin
  return greatest(
    0, (holder).credits - private.reserved_credits(holder) - (holder).debt_credits
  );
end;
$$;

comment on function private.remaining_credits is
  'Never negative: a debt can exceed what is left.';
