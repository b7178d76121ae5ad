-- Reads all users and the whole ledger, while deductions go on.
alter table public.users validate constraint held_credits_are_part_of_the_balance;
alter table public.users validate constraint a_user_with_open_holds_says_how_many_and_until_when;
alter table public.users validate constraint an_erased_user_has_no_number_and_nothing_reserved;
alter table public.credit_transactions validate constraint the_source_says_the_action;
