-- Reads all orders, while payments go on.
CREATE INDEX CONCURRENTLY payment_orders_tried_in_vain ON public.payment_orders USING btree (tried_at)
  WHERE ((state <> 'paid'::text) AND (tried_at IS NOT NULL) AND (next_check_at IS NULL) AND (NOT has_reference));
