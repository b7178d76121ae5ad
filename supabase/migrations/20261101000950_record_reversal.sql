-- Stores what Razorpay says of a refund or a dispute, and moves the credits that follow from it.
create function private.record_reversal(user_id uuid, payment_id text, reversal jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_kind constant text := record_reversal.reversal ->> 'kind';
  v_status constant text := record_reversal.reversal ->> 'status';
  v_reported_at constant timestamptz := (record_reversal.reversal ->> 'reported_at')::timestamptz;
  v_refund_steps constant text[] := array['pending', 'processed', 'failed'];
begin
  insert into public.payment_reversals as r
    (id, payment_id, kind, status, amount_paise, is_money_gone, reported_at)
  values (
    record_reversal.reversal ->> 'id',
    record_reversal.payment_id,
    v_kind,
    v_status,
    (record_reversal.reversal ->> 'amount_paise')::integer,
    (record_reversal.reversal ->> 'is_money_gone')::boolean,
    v_reported_at
  )
  on conflict (id) do update
  set status = excluded.status,
      amount_paise = excluded.amount_paise,
      is_money_gone = excluded.is_money_gone,
      reported_at = excluded.reported_at
  -- Reports arrive in any order. A refund only moves forward; a dispute is as its newest report
  -- says, for a lost one may still be won.
  where case excluded.kind
    when 'refund' then
      array_position(v_refund_steps, excluded.status) > array_position(v_refund_steps, r.status)
    else excluded.reported_at > r.reported_at
  end;

  perform private.balance_reversals(
    record_reversal.user_id, record_reversal.payment_id, record_reversal.reversal ->> 'id'
  );
end;
$$;

comment on function private.record_reversal(uuid, text, jsonb) is
  'reversal: {id, kind, status, amount_paise, is_money_gone, reported_at}. A repeated or older report changes nothing.';

revoke execute on function private.record_reversal(uuid, text, jsonb)
  from public, anon, authenticated, service_role;
