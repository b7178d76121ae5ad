-- Stores what Razorpay reports about a refund or a dispute.
create function private.record_reversal(payment_id text, reversal jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_refund_steps constant text[] := array['pending', 'processed', 'failed'];
  v_dispute_steps constant text[] :=
    array['open', 'under_review', 'action_required', 'closed', 'lost', 'won'];
begin
  insert into public.payment_reversals as r
    (id, payment_id, kind, status, amount_paise, is_money_gone, reported_at)
  values (
    record_reversal.reversal ->> 'id',
    record_reversal.payment_id,
    record_reversal.reversal ->> 'kind',
    record_reversal.reversal ->> 'status',
    (record_reversal.reversal ->> 'amount_paise')::integer,
    (record_reversal.reversal ->> 'is_money_gone')::boolean,
    (record_reversal.reversal ->> 'reported_at')::timestamptz
  )
  on conflict (id) do update
  set status = excluded.status,
      amount_paise = excluded.amount_paise,
      is_money_gone = excluded.is_money_gone,
      reported_at = excluded.reported_at
  -- Reports arrive in any order. A refund only moves forward. For a dispute the newest report counts,
  -- because a lost one may still be won; Razorpay's times are whole seconds, so of two reports from the
  -- same second the later step counts.
  where r.payment_id = excluded.payment_id and case excluded.kind
    when 'refund' then
      array_position(v_refund_steps, excluded.status) > array_position(v_refund_steps, r.status)
    else
      (excluded.reported_at, array_position(v_dispute_steps, excluded.status))
        > (r.reported_at, array_position(v_dispute_steps, r.status))
  end;

  if not exists (
    select from public.payment_reversals r
    where r.id = record_reversal.reversal ->> 'id' and r.payment_id = record_reversal.payment_id
  ) then
    raise exception 'reversal % belongs to another payment', record_reversal.reversal ->> 'id'
      using errcode = 'integrity_constraint_violation';
  end if;
end;
$$;

comment on function private.record_reversal is
  'reversal: {id, kind, status, amount_paise, is_money_gone, reported_at}. A repeated or older report changes nothing; one that names another payment is refused.';
