-- Refuses every change to a row that was written once, but for the references and the words that name a
-- person who is being erased.
create function private.refuse_all_but_erasure()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_replaced constant text[] :=
    array['reason', 'reference_id', 'request', 'before', 'after', 'result'];
  v_old constant jsonb := to_jsonb(old);
  v_new jsonb;
  v_context text;
begin
  if tg_op = 'UPDATE' then
    v_new := to_jsonb(new);
    get diagnostics v_context = pg_context;
    -- The last line is the function that was called first.
    if v_context ~ 'PL/pgSQL function public\.erase_user\([^()]*\) line \d+ at \w+$'
      and (
        case tg_table_name
          when 'credit_transactions' then
            v_new - 'reference_id' = v_old - 'reference_id'
            and v_new ->> 'reference_id' ~ '^erased [0-9a-f-]{36}$'
            and v_old ->> 'source' not in ('system', 'payment', 'refund', 'dispute', 'merge')
            and exists (
              select from public.users u
              where u.id = (v_old ->> 'user_id')::uuid and u.erased_at is not null
            )
          when 'operator_actions' then
            v_new - v_replaced = v_old - v_replaced
            and v_new ->> 'reason' = 'erased'
            and coalesce(v_new ->> 'reference_id' ~ '^erased [0-9a-f-]{36}$', true)
            and coalesce(v_new -> 'request' in ('{}', 'null', v_old -> 'request'), true)
            and coalesce(v_new -> 'before' in ('null', v_old -> 'before'), true)
            and coalesce(v_new -> 'after' in ('null', v_old -> 'after'), true)
            and coalesce(v_new -> 'result' in ('null', v_old -> 'result'), true)
          else false
        end
      )
    then
      return new;
    end if;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$$;

comment on function private.refuse_all_but_erasure is
  'Trigger of the append-only tables that an erasure reaches. As private.refuse_change, but public.erase_user, called by itself and not from within anything else, may replace what a bot or an operator wrote about a person. The rest of a row is refused to it too.';
