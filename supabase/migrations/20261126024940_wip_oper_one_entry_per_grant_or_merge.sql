-- Reads the whole ledger, while deductions go on. The migration of the operators' actions drops the index that it replaces.
CREATE UNIQUE INDEX CONCURRENTLY one_entry_per_grant_or_merge ON public.credit_transactions USING btree (user_id, source, reference_id)
  WHERE (source = ANY (ARRAY['system'::text, 'payment'::text, 'merge'::text]));
