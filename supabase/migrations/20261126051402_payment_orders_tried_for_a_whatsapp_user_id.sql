-- Reads all orders, while payments go on.
CREATE INDEX CONCURRENTLY payment_orders_tried_for_a_whatsapp_user_id ON public.payment_orders USING btree (whatsapp_user_id)
  WHERE ((next_check_at IS NOT NULL) AND (state = 'open'::text) AND (tried_at IS NOT NULL) AND (whatsapp_user_id IS NOT NULL));
