-- Stores the outcome of a delivery.
create function public.finish_webhook(delivery_id bigint, outcome text)
returns void
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  update public.webhook_deliveries d
  set outcome = $2, finished_at = clock_timestamp()
  where d.id = $1;
$$;

comment on function public.finish_webhook is
  'outcome: an outcome of settle_payment, or ignored or failed.';
