-- Reads all orders, while payments go on.
CREATE INDEX CONCURRENTLY payment_orders_abandoned ON public.payment_orders USING btree (created_at)
  WHERE ((state <> 'paid'::text) AND (tried_at IS NULL) AND (next_check_at IS NULL) AND (NOT has_reference));
