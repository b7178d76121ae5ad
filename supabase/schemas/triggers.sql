-- The ledger and the record of operators' actions are append-only, but for what the erasure of a person
-- replaces in them; and prices have a history.

-- All columns but the reference.
create trigger credit_transactions_are_append_only
  before update of id, user_id, sequence_number, action, credits, source, balance_after, created_at,
    quantity, price_id, remaining_after
  on public.credit_transactions
  for each row execute function private.refuse_change();

create trigger credit_transactions_keep_their_references
  after update on public.credit_transactions
  referencing new table as new_entries
  for each statement execute function private.keep_ledger();

create trigger credit_transactions_are_never_deleted
  before delete on public.credit_transactions
  for each row execute function private.refuse_change();

create trigger credit_transactions_are_not_truncated
  before truncate on public.credit_transactions
  for each statement execute function private.refuse_change();

create trigger operator_actions_are_append_only
  before update or delete on public.operator_actions
  for each row execute function private.keep_operator_actions();

create trigger operator_actions_are_not_truncated
  before truncate on public.operator_actions
  for each statement execute function private.refuse_change();

create trigger action_prices_keep_their_history
  before insert or update on public.action_prices
  for each row execute function private.keep_price_history();

create trigger action_prices_go_on_without_a_successor
  after update on public.action_prices
  for each row when (new.valid_until = new.valid_from and old.valid_until > old.valid_from)
  execute function private.resume_price();

create trigger action_prices_are_never_deleted
  before delete on public.action_prices
  for each row execute function private.refuse_change();

create trigger action_prices_are_not_truncated
  before truncate on public.action_prices
  for each statement execute function private.refuse_change();

-- What the check of the books looks at again.

create trigger payment_orders_note_their_change
  before insert or update on public.payment_orders
  for each row execute function private.note_change();

create trigger payments_note_their_change
  before insert or update on public.payments
  for each row execute function private.note_change();

create trigger payment_reversals_note_their_change
  before insert or update on public.payment_reversals
  for each row execute function private.note_change();

create trigger adjustments_note_their_change
  before insert or update on public.adjustments
  for each row execute function private.note_change();
