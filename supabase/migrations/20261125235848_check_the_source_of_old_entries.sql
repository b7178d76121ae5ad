-- Reads the whole ledger, while deductions go on.
alter table public.credit_transactions validate constraint the_source_says_the_action;
