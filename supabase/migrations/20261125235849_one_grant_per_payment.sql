-- Reads the whole ledger, while deductions go on.
CREATE UNIQUE INDEX CONCURRENTLY one_grant_per_payment ON public.credit_transactions USING btree (reference_id)
  WHERE (source = 'payment'::text);
