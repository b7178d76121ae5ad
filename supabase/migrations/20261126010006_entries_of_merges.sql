-- Built while everybody keeps writing, which cannot be done in a transaction with anything else.
CREATE INDEX CONCURRENTLY entries_of_merges ON public.credit_transactions USING btree (user_id)
  WHERE (source = 'merge'::text);
