-- Built while everybody keeps writing, which cannot be done in a transaction with anything else.
CREATE INDEX CONCURRENTLY payment_orders_by_change ON public.payment_orders USING btree (changed_at)
  WHERE (changed_at IS NOT NULL);
