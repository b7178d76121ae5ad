-- Stores what became of a delivery.
create function public.finish_webhook(delivery_id bigint, outcome text)
returns void
language sql
volatile
-- The tables are closed to every role; only this function's owner may write them.
security definer
set search_path = ''
as $$
  update public.webhook_deliveries d
  set outcome = $2, finished_at = clock_timestamp()
  where d.id = $1;
$$;

comment on function public.finish_webhook(bigint, text) is
  'outcome: an outcome of settle_payment, or ignored, not_ours, failed.';

revoke execute on function public.finish_webhook(bigint, text) from public, anon, authenticated;
grant execute on function public.finish_webhook(bigint, text) to service_role;
