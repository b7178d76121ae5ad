-- Reads all reversals, while payments go on.
CREATE INDEX CONCURRENTLY payment_reversals_of_money ON public.payment_reversals USING btree (reported_at)
  WHERE is_money_gone;
