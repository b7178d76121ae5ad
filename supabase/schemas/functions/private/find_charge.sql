-- Finds the entry that a bot's reference has paid for.
create function private.find_charge(user_id uuid, reference_id text)
returns public.credit_transactions
language plpgsql
stable
set search_path = ''
as $$
declare
  v_charge public.credit_transactions;
begin
  -- The conditions are those of the index one_charge_per_reference, which keeps out another reference
  -- with the same hash as well.
  select t.* into v_charge from public.credit_transactions t
  where t.user_id = find_charge.user_id
    and hashtextextended(t.reference_id, 0) = hashtextextended(find_charge.reference_id, 0)
    and t.reference_id is not null
    and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment');

  if not found then
    -- An account that was merged into this one may have served the first call. The limit keeps the
    -- planner from reading the index for the hash alone, without an account.
    select t.* into v_charge
    from public.users u
    cross join lateral (
      select t.* from public.credit_transactions t
      where t.user_id = u.id
        and hashtextextended(t.reference_id, 0) = hashtextextended(find_charge.reference_id, 0)
        and t.reference_id is not null
        and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
      limit 1
    ) t
    where u.merged_into = find_charge.user_id
    limit 1;
  end if;
  return v_charge;
end;
$$;

comment on function private.find_charge is
  'Null if the reference has paid for nothing, neither here nor in an account that was merged into this one.';
