-- Reads the whole ledger, while deductions go on.
CREATE INDEX CONCURRENTLY entries_of_adjustments ON public.credit_transactions USING btree (reference_id)
  WHERE (source = 'adjustment'::text);
