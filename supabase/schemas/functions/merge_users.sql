-- Merges two accounts of one person into one, keeping both histories intact.
create function public.merge_users(from_user_id uuid, into_user_id uuid)
returns text
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
declare
  v_from public.users;
  v_into public.users;
begin
  if merge_users.from_user_id = merge_users.into_user_id then
    return 'same_user';
  end if;

  -- Both rows are locked in one order, whichever way around an operator names them.
  perform from public.users u
  where u.id in (merge_users.from_user_id, merge_users.into_user_id)
  order by u.id
  for no key update;

  select u.* into v_from from public.users u where u.id = merge_users.from_user_id;
  select u.* into v_into from public.users u where u.id = merge_users.into_user_id;
  if v_from.id is null or v_into.id is null then
    return 'user_not_found';
  elsif v_from.merged_into = v_into.id then
    return 'replayed';
  elsif num_nonnulls(v_from.merged_into, v_into.merged_into) > 0 then
    return 'merged_before';
  end if;

  if v_from.credits > 0 then
    perform private.post_entry(
      v_from.id, 'debit', v_from.credits, 'merge', 'into ' || v_into.id
    );
    perform private.post_entry(
      v_into.id, 'credit', v_from.credits, 'merge', 'from ' || v_from.id
    );
  end if;

  -- Open orders may still be paid and paid ones refunded, so they move to the merged account.
  update public.payment_orders o set user_id = v_into.id where o.user_id = v_from.id;
  update public.order_references r set user_id = v_into.id
  where r.user_id = v_from.id and not exists (
    select from public.order_references mine
    where mine.user_id = v_into.id and mine.reference_id = r.reference_id
  );
  update public.users u set debt_credits = u.debt_credits + v_from.debt_credits
  where u.id = v_into.id;
  update public.users u set debt_credits = 0 where u.id = v_from.id;
  perform private.collect_debts(v_into.id);

  -- Accounts that were merged into this one earlier follow it, so that merged_into always leads to the
  -- current account in one step.
  update public.users u set merged_into = v_into.id where u.merged_into = v_from.id;
  update public.identities i set user_id = v_into.id where i.user_id = v_from.id;
  update public.users u set merged_into = v_into.id, phone_number = null where u.id = v_from.id;
  update public.users u set phone_number = coalesce(u.phone_number, v_from.phone_number)
  where u.id = v_into.id;
  return 'merged';
end;
$$;

comment on function public.merge_users is
  'merged: the identities and the balance have moved, the old history stays under the old id. replayed: they had moved before. same_user, user_not_found, merged_before (one of them is no longer an account): nothing changed.';
