-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

-- PostgreSQL samples the column of events that may hold a reference of the bot, so an erasure renews it too.
SET local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.refresh_samples()
  RETURNS void
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
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
$function$;
