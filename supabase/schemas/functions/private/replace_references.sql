-- Replaces what the bot and operators wrote about a person, in rows that stay.
create function private.replace_references(user_ids uuid[], order_ids uuid[])
returns void
language plpgsql
set search_path = ''
-- However long a history is: the planner cannot know how many references there are.
set enable_nestloop = off
as $$
begin
  -- The same reference of the person stays the same, so that a capture still has its hold, and a reference
  -- that two merged accounts know is still one. Random, so that nothing leads back, and no two people
  -- have one in common.
  with named as (
    select t.reference_id from public.credit_transactions t
    where t.user_id = any (user_ids)
      and t.reference_id is not null
      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
    union
    select h.reference_id from public.holds h where h.user_id = any (user_ids)
    union
    select r.reference_id from public.order_references r where r.user_id = any (user_ids)
    union
    select a.reference_id from public.adjustments a where a.user_id = any (user_ids)
  ),
  replaced as materialized (
    select n.reference_id, 'erased ' || gen_random_uuid() as replacement from named n
  ),
  in_the_ledger as (
    update public.credit_transactions t set reference_id = r.replacement
    from replaced r
    where t.user_id = any (user_ids)
      and t.reference_id = r.reference_id
      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
  ),
  in_holds as (
    update public.holds h set reference_id = r.replacement
    from replaced r
    where h.user_id = any (user_ids) and h.reference_id = r.reference_id
  ),
  in_adjustments as (
    update public.adjustments a set reference_id = r.replacement
    from replaced r
    where a.user_id = any (user_ids) and a.reference_id = r.reference_id
  )
  update public.order_references o set reference_id = r.replacement
  from replaced r
  where o.user_id = any (user_ids) and o.reference_id = r.reference_id;

  -- What was refunded, and how much, names nobody.
  update public.operator_actions a
  set reason = 'erased',
      reference_id = case when a.reference_id is not null then 'erased ' || gen_random_uuid() end,
      request = case
        when a.action = 'refund-payment' then a.request
        when a.request is not null then '{}'
      end,
      before = case when a.action = 'refund-payment' then a.before end,
      after = case when a.action = 'refund-payment' then a.after end,
      result = case when a.action = 'refund-payment' then a.result end
  where (a.order_id = any (order_ids) or a.user_id = any (user_ids))
    -- Not again what an erasure has written; an operator may have typed the word.
    and (a.reason <> 'erased' or a.reference_id !~ '^erased [0-9a-f-]{36}$');
end;
$$;

comment on function private.replace_references is
  'Part of erase_user, which marks the users as erased first. References of Razorpay''s and those of merges stay: later refunds are found by them, and they name nobody.';
