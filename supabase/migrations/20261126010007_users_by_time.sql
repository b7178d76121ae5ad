-- Built while everybody keeps writing, which cannot be done in a transaction with anything else.
CREATE INDEX CONCURRENTLY users_by_time ON public.users USING btree (created_at);
