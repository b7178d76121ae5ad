-- Reads the whole ledger, while deductions go on.
CREATE UNIQUE INDEX CONCURRENTLY one_charge_per_reference ON public.credit_transactions USING btree (user_id, hashtextextended(reference_id, (0)::bigint))
  WHERE ((reference_id IS NOT NULL) AND (source <> ALL (ARRAY['system'::text, 'payment'::text, 'refund'::text, 'dispute'::text, 'merge'::text, 'adjustment'::text])));
