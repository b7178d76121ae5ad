-- Built while everybody keeps writing, which cannot be done in a transaction with anything else.
CREATE INDEX CONCURRENTLY order_references_by_time ON public.order_references USING brin (created_at)
  WITH (pages_per_range='32', autosummarize='on');
