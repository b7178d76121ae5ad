-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

-- A long history is erased within a call, because the references are looked at once for a statement.
SET local check_function_bodies = off;

DROP TRIGGER "credit_transactions_are_append_only" ON "public"."credit_transactions";

CREATE OR REPLACE FUNCTION private.is_erasing()
  RETURNS boolean
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_context text;
begin
  get diagnostics v_context = pg_context;
  -- The last line is the function that was called first.
  return split_part(v_context, E'\n', -1) ~ '^PL/pgSQL function public\.erase_user\([^()]*\) line \d+ at \w+$';
end;
$function$;

CREATE OR REPLACE FUNCTION private.keep_ledger()
  RETURNS TRIGGER
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  if private.is_erasing()
    and not exists (
      select from new_entries t
      left join public.users u on u.id = t.user_id and u.erased_at is not null
      where u.id is null
        or t.source in ('system', 'payment', 'refund', 'dispute', 'merge')
        or coalesce(t.reference_id, '') !~ '^erased [0-9a-f-]{36}$'
    )
  then
    return null;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$function$;

CREATE TRIGGER credit_transactions_are_append_only
  BEFORE UPDATE OF id, user_id, sequence_number, action, credits, source, balance_after, created_at, quantity, price_id, remaining_after ON public.credit_transactions
  FOR EACH ROW
  EXECUTE FUNCTION private.refuse_change();

CREATE TRIGGER credit_transactions_are_never_deleted
  BEFORE DELETE ON public.credit_transactions
  FOR EACH ROW
  EXECUTE FUNCTION private.refuse_change();

CREATE TRIGGER credit_transactions_keep_their_references
  AFTER UPDATE ON public.credit_transactions REFERENCING NEW TABLE AS new_entries
  FOR EACH STATEMENT
  EXECUTE FUNCTION private.keep_ledger();

COMMENT ON FUNCTION "private"."keep_ledger"() IS 'Trigger of the ledger, once for each statement, however many entries a person has. Allows what private.replace_references does; another trigger refuses changes to any other column.';
