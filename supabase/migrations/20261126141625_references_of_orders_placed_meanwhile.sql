-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

-- A call that was inside place_order when 20261126113350 was applied waited for it, and then went on as
-- the function was before: without has_reference. Those calls are over, because the indexes that
-- were built since waited for them. Only such orders are locked, and the check of the books looks at them
-- again.
UPDATE public.payment_orders o SET has_reference = true
WHERE NOT o.has_reference
  AND EXISTS (SELECT FROM public.order_references r WHERE r.order_id = o.id);
