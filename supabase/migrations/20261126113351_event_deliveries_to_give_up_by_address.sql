-- Reads all deliveries of events, while they go on.
CREATE INDEX CONCURRENTLY event_deliveries_to_give_up ON public.event_deliveries USING btree (address_id, give_up_at)
  WHERE (state = 'pending'::text);
