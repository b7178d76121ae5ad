-- In migrations of their own, because deductions wait while the ledger is locked: first what needs the
-- lock, for a moment; then what reads the whole ledger, without it.
set local lock_timeout = '2s';

ALTER TABLE "public"."credit_transactions"
  ADD CONSTRAINT "the_source_says_the_action" CHECK (
CASE
    WHEN (source = ANY (ARRAY['system'::text, 'payment'::text])) THEN (action = 'credit'::text)
    WHEN (source = ANY (ARRAY['refund'::text, 'dispute'::text, 'merge'::text])) THEN true
    ELSE (action = 'debit'::text)
END) NOT VALID;
