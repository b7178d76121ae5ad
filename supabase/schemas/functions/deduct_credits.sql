-- Spends a user's credits, at most once for each reference.
create function public.deduct_credits(
  phone_number text default null,
  credits integer default 1,
  reference_id text default null,
  whatsapp_user_id text default null
)
returns table (outcome text, user_id uuid, remaining_credits integer)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_user_id uuid;
  v_user public.users;
  v_first public.credit_transactions;
begin
  if deduct_credits.credits is null or deduct_credits.credits < 1 then
    raise exception 'a deduction is at least one credit, not %', deduct_credits.credits
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(deduct_credits.phone_number, deduct_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id);
  end if;

  loop
    if deduct_credits.reference_id is not null then
      -- Lock first, then look: two calls with one reference take turns, and the second sees what the
      -- first has written. The user is looked up as in private.find_user_id, but inline, here and below:
      -- this is the hot path, and calling the function would cost as much as everything else.
      select u.id into v_user_id from public.users u
      where u.id = coalesce(
        (
          select i.user_id from public.identities i
          where i.kind = 'phone' and i.value = deduct_credits.phone_number
        ),
        (
          select i.user_id from public.identities i
          where i.kind = 'whatsapp_user_id' and i.value = deduct_credits.whatsapp_user_id
        )
      )
      for no key update;

      select t.* into v_first from public.credit_transactions t
      where t.user_id = v_user_id
        -- A literal, so that the planner sees that the partial index on references covers it.
        and t.source = 'image_generation'
        and t.reference_id = deduct_credits.reference_id;

      -- An account that was merged into this one may have served the first call.
      if not found then
        select t.* into v_first
        from public.users u
        join public.credit_transactions t on t.user_id = u.id
        where u.merged_into = v_user_id
          and t.source = 'image_generation'
          and t.reference_id = deduct_credits.reference_id;
      end if;

      -- A repeated reference is a retry: return what the first call did, and charge nothing.
      if found then
        return query select
          case when v_first.credits = deduct_credits.credits then 'replayed' else 'reference_reused' end,
          v_first.user_id,
          v_first.balance_after;
        return;
      end if;
    end if;

    -- One statement decides, charges and records. If another transaction held the row, PostgreSQL
    -- evaluates the condition again on the newest version, so no stale balance is ever written back.
    with charged as (
      update public.users u
      set credits = u.credits - deduct_credits.credits,
          transaction_count = u.transaction_count + 1
      where u.id = case
          when deduct_credits.reference_id is not null then v_user_id
          else coalesce(
            (
              select i.user_id from public.identities i
              where i.kind = 'phone' and i.value = deduct_credits.phone_number
            ),
            (
              select i.user_id from public.identities i
              where i.kind = 'whatsapp_user_id' and i.value = deduct_credits.whatsapp_user_id
            )
          )
        end
        and u.credits >= deduct_credits.credits
      returning u.id, u.credits, u.transaction_count
    )
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after)
    select c.id, c.transaction_count, 'debit', deduct_credits.credits,
      'image_generation', deduct_credits.reference_id, c.credits
    from charged c
    returning user_id, balance_after into user_id, remaining_credits;

    if found then
      outcome := 'deducted';
      return next;
      return;
    end if;

    -- Nothing was charged: the user is unknown or has too few credits. It is worth another try if the
    -- user is new (another call may have just created it and charged this reference) or if credits have
    -- arrived meanwhile.
    v_user := private.ensure_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id);
    if v_user.credits < deduct_credits.credits
      and (deduct_credits.reference_id is null or v_user.id = v_user_id)
    then
      return query select 'insufficient_credits', v_user.id, v_user.credits;
      return;
    end if;
  end loop;
end;
$$;

comment on function public.deduct_credits is
  'One row. outcome: deducted; replayed (the reference was charged before: remaining_credits is what the first call returned); reference_reused (charged before with another number of credits); insufficient_credits (nothing changed: remaining_credits is the balance).';
