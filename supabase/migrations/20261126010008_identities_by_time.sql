-- Built while everybody keeps writing, which cannot be done in a transaction with anything else.
CREATE INDEX CONCURRENTLY identities_by_time ON public.identities USING brin (created_at)
  WITH (pages_per_range='32', autosummarize='on');
