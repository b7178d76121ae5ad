-- Reads all orders, while payments go on.
CREATE INDEX CONCURRENTLY payment_orders_tried_for_a_phone_number ON public.payment_orders USING btree (phone_number)
  WHERE ((next_check_at IS NOT NULL) AND (state = 'open'::text) AND (tried_at IS NOT NULL));
