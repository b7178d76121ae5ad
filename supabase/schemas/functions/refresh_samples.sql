-- Replaces the samples of numbers and references that PostgreSQL keeps to plan queries by.
create function public.refresh_samples()
returns void
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
begin
  analyze public.users (phone_number);
  analyze public.identities (value);
  analyze public.payment_orders (phone_number, whatsapp_user_id, placed_by);
  analyze public.credit_transactions (reference_id);
  analyze public.holds (reference_id);
  analyze public.order_references (reference_id);
  analyze public.operator_actions;
  analyze public.book_violations;
  analyze public.events (data);
  analyze public.adjustments (reference_id);
  analyze public.rate_counters (subject);
  -- Skipped with a warning where another role owns it.
  if to_regclass('auth.users') is not null then
    execute 'analyze auth.users';
    execute 'analyze auth.identities';
    execute 'analyze auth.audit_log_entries';
  end if;
  if to_regclass('auth.one_time_tokens') is not null then
    execute 'analyze auth.one_time_tokens';
  end if;
end;
$$;

comment on function public.refresh_samples is
  'After an erasure, in a transaction of its own: pg_statistic holds values of rows that may be gone, until the tables are analyzed again. Blocks nobody who reads or writes rows.';
