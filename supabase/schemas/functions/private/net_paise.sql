-- Returns how much of a payment's money we still hold.
create function private.net_paise(payment_id text)
returns integer
language sql
stable
set search_path = ''
as $$
  select case
    -- Razorpay may report a payment as refunded before its refunds are final. If it has bought nothing
    -- yet, it buys nothing until all refunds behind that status are known, and known to have failed.
    when p.status = 'refunded' and p.credits_granted = 0 and p.amount_paise > coalesce((
      select sum(r.amount_paise) from public.payment_reversals r
      where r.payment_id = p.id and r.kind = 'refund' and r.status <> 'pending'
    ), 0) then 0
    when p.status in ('captured', 'refunded') then
      p.amount_paise - least(p.amount_paise, coalesce((
        select sum(r.amount_paise) from public.payment_reversals r
        where r.payment_id = p.id and r.is_money_gone
      ), 0))
    else 0
  end
  from public.payments p
  where p.id = $1;
$$;

comment on function private.net_paise is
  'What was captured minus what was returned; 0 until the payment is captured, and as long as it has only been reported as refunded, without its refunds.';
