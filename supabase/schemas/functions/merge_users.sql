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
  v_held_credits integer;
  v_outcome text;
  v_again text;
begin
  if merge_users.from_user_id = merge_users.into_user_id then
    return 'same_user';
  end if;

  for v_attempt in 1..5 loop
    begin
      -- All rows are locked in one order, whichever way around an operator names them: the two, and the
      -- accounts that were merged into the first one earlier.
      perform from public.users u
      where u.id in (merge_users.from_user_id, merge_users.into_user_id)
        or u.merged_into = merge_users.from_user_id
      order by u.id
      for no key update;

      select u.* into v_from from public.users u where u.id = merge_users.from_user_id;
      select u.* into v_into from public.users u where u.id = merge_users.into_user_id;
      if v_from.id is null or v_into.id is null
        or num_nonnulls(v_from.erased_at, v_into.erased_at) > 0
      then
        return 'user_not_found';
      elsif v_from.merged_into = v_into.id then
        -- Merged before. Whatever was left behind or has arrived since is moved now.
        v_outcome := 'replayed';
      elsif num_nonnulls(v_from.merged_into, v_into.merged_into) > 0 then
        return 'merged_before';
      else
        v_outcome := 'merged';
      end if;

      perform private.end_expired_holds(v_from);
      perform private.end_expired_holds(v_into);
      perform private.release_common_holds(v_from.id, v_into.id);
      -- What is left of its holds moves to the other account, after the credits.
      select u.held_credits into strict v_held_credits from public.users u where u.id = v_from.id;
      update public.users u
      set held_credits = 0, open_holds = 0, next_hold_expiry_at = null
      where u.id = v_from.id
      returning * into v_from;

      if v_from.credits > 0 then
        -- A reference is used once, so each further transfer between the two has a longer one.
        select repeat('again ', count(*)::integer) into v_again
        from public.credit_transactions t
        where t.user_id = v_from.id and t.source = 'merge'
          and t.reference_id ~ ('^(again )*into ' || v_into.id || '$');
        perform private.post_entry(
          v_from.id, 'debit', v_from.credits, 'merge', v_again || 'into ' || v_into.id
        );
        perform private.post_entry(
          v_into.id, 'credit', v_from.credits, 'merge', v_again || 'from ' || v_from.id,
          reserved_credits => v_held_credits
        );
      end if;

      perform private.move_holds(v_from.id, v_into.id);

      -- Paid orders may still be refunded, so they move to the account that stays. Orders that wait for
      -- their payment belong to an identity, and move with it.
      update public.payment_orders o set user_id = v_into.id where o.user_id = v_from.id;
      update public.order_references r set user_id = v_into.id where r.user_id = v_from.id;
      update public.adjustments a set user_id = v_into.id where a.user_id = v_from.id;
      update public.users u
      set debt_credits = u.debt_credits + v_from.debt_credits,
          has_merged = true,
          -- Nobody gets rid of a freeze by a merge.
          frozen_at = least(u.frozen_at, v_from.frozen_at)
      where u.id = v_into.id;
      update public.users u set debt_credits = 0, frozen_at = null where u.id = v_from.id;
      perform private.collect_debts(v_into.id);
      if v_from.frozen_at is not null and v_into.frozen_at is null then
        perform private.tell(v_into.id, 'user.frozen');
      end if;

      -- Accounts that were merged into this one earlier follow it, so that merged_into always leads to
      -- the current account in one step.
      update public.users u set merged_into = v_into.id where u.merged_into = v_from.id;
      update public.identities i set user_id = v_into.id where i.user_id = v_from.id;
      update public.users u set merged_into = v_into.id, phone_number = null where u.id = v_from.id;
      update public.users u set phone_number = coalesce(u.phone_number, v_from.phone_number)
      where u.id = v_into.id;
      return v_outcome;
    exception
      -- A deduction, reservation or capture that waited for the merged account holds its lock while it
      -- waits for the other one.
      when deadlock_detected then null;
    end;
  end loop;
  raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
end;
$$;

comment on function public.merge_users is
  'merged: the identities, the balance and the open holds have moved, the old history stays under the old id. replayed: they had moved before, and whatever was left behind has moved now. same_user, user_not_found (or erased), merged_before (one of them is no longer an account): nothing changed.';
