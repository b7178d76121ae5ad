create table public.webhook_deliveries (
  id bigint generated always as identity primary key,
  event_id text,
  event text not null,
  payload json not null,
  razorpay_order_id text,
  razorpay_payment_id text,
  outcome text,
  received_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  constraint a_finished_delivery_has_an_outcome check ((outcome is null) = (finished_at is null))
);

create index webhook_deliveries_of_an_event on public.webhook_deliveries (event_id);
create index webhook_deliveries_about_an_order on public.webhook_deliveries (razorpay_order_id);
create index webhook_deliveries_about_a_payment
  on public.webhook_deliveries (razorpay_payment_id);
create index webhook_deliveries_unfinished on public.webhook_deliveries (received_at)
  where outcome is null;
create index webhook_deliveries_failed on public.webhook_deliveries (received_at)
  where outcome = 'failed';
create index webhook_deliveries_not_ours on public.webhook_deliveries (received_at)
  where outcome = 'not_ours';
create index webhook_deliveries_to_forget on public.webhook_deliveries (received_at)
  where outcome is not null and outcome <> 'failed';

comment on table public.webhook_deliveries is
  'Every correctly signed delivery from Razorpay, including repeated ones.';
comment on column public.webhook_deliveries.event_id is
  'Razorpay''s event id, from a header that is not signed: good for finding deliveries, not for telling repeated ones apart.';
comment on column public.webhook_deliveries.payload is
  'The body as it was received, but with nothing in it that names a person: see functions-shared/payments/blanked-payload.ts. Not jsonb, and not to be taken apart in SQL: JSON may contain \u0000, which PostgreSQL''s text cannot.';
comment on column public.webhook_deliveries.outcome is
  'The result; null while the delivery is being handled, and permanently if handling was cut off, after which Razorpay sends it again.';

alter table public.webhook_deliveries enable row level security;
