-- Reads the whole ledger, while deductions go on. The next migration makes it the primary key.
CREATE UNIQUE INDEX CONCURRENTLY place_in_the_history ON public.credit_transactions USING btree (user_id, sequence_number);
