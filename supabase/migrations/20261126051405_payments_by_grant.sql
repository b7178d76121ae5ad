-- Reads all payments, while payments go on.
CREATE INDEX CONCURRENTLY payments_by_grant ON public.payments USING btree (granted_at)
  WHERE (granted_at IS NOT NULL);
