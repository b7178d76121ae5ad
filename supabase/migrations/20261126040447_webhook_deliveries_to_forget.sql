-- Built while everybody keeps writing, which cannot be done in a transaction with anything else.
CREATE INDEX CONCURRENTLY webhook_deliveries_to_forget ON public.webhook_deliveries USING btree (received_at)
  WHERE ((outcome IS NOT NULL) AND (outcome <> 'failed'::text));
