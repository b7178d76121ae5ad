-- Tells the bot what a refund or a dispute took, or gave back.
create function private.tell_of_reversal(
  user_id uuid,
  type text,
  reversal_id text,
  credits integer
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order_id uuid;
  v_data jsonb;
begin
  select p.order_id,
    jsonb_build_object(
      'source', r.kind,
      case tell_of_reversal.type
        when 'credits.restored' then 'credits_restored' else 'credits_taken'
      end, tell_of_reversal.credits,
      'debt_credits', u.debt_credits,
      'payment_id', p.id,
      'reversal_id', r.id
    )
  into strict v_order_id, v_data
  from public.payment_reversals r
  join public.payments p on p.id = r.payment_id
  cross join public.users u
  where r.id = tell_of_reversal.reversal_id and u.id = tell_of_reversal.user_id;
  perform private.tell(tell_of_reversal.user_id, tell_of_reversal.type, v_data, v_order_id);
end;
$$;

comment on function private.tell_of_reversal is
  'credits: all that the reversal took or gave back, also as debt.';
