-- What became of a payment: what went back, and every entry that it led to.
create function private.payment_life(payment public.payments)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.payment_summary(payment) || jsonb_build_object(
    'granted_at', (payment).granted_at,
    'reversals', coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'reversal_id', r.id,
          'kind', r.kind,
          'status', r.status,
          'amount_paise', r.amount_paise,
          'is_money_gone', r.is_money_gone,
          'credits_taken', r.credits_taken,
          'credits_owed', r.credits_owed,
          'credits_forgiven', r.credits_forgiven,
          'created_at', r.created_at,
          'reported_at', r.reported_at
        )
        order by r.created_at desc
      )
      from (
        select r.* from public.payment_reversals r
        where r.payment_id = (payment).id
        order by r.created_at desc
        limit 20
      ) r
    ), '[]'),
    -- By their references, because the entries stay with the account that had the order then, even if it
    -- was merged into another one.
    'entries', coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'user_id', t.user_id,
          'sequence_number', t.sequence_number,
          'created_at', t.created_at,
          'action', t.action,
          'credits', t.credits,
          'source', t.source,
          'reference_id', t.reference_id,
          'balance_after', t.balance_after
        )
        order by t.created_at desc, t.sequence_number desc
      )
      from (
        select t.*
        from (
          select t.* from public.credit_transactions t
          where t.source = 'payment' and t.reference_id = (payment).id
          union all
          select t.* from public.credit_transactions t
          where t.source in ('refund', 'dispute') and t.reference_id = any (array(
            select r.id from public.payment_reversals r where r.payment_id = (payment).id
          ))
        ) t
        order by t.created_at desc, t.sequence_number desc
        limit 50
      ) t
    ), '[]')
  );
end;
$$;

comment on function private.payment_life is
  'Part of get_customer. The newest 20 refunds and disputes, and the newest 50 entries.';
