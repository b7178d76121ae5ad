-- Stores a delivery before it is handled.
create function public.receive_webhook(
  event_id text,
  event text,
  payload text,
  razorpay_order_id text default null,
  razorpay_payment_id text default null
)
returns bigint
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
  insert into public.webhook_deliveries
    (event_id, event, payload, razorpay_order_id, razorpay_payment_id)
  values ($1, $2, $3::json, $4, $5)
  returning id;
$$;

comment on function public.receive_webhook is
  'Returns the id of the delivery, for finish_webhook. payload: the body, with nothing in it that names a person: see functions-shared/payments/blanked-payload.ts.';
