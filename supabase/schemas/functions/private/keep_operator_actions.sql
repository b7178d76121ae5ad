-- Refuses every change to the record of operators' actions, but for what they wrote about a person who is
-- being erased.
create function private.keep_operator_actions()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_action public.operator_actions;
begin
  if tg_op = 'UPDATE' then
    v_action := new;
    v_action.reason := old.reason;
    v_action.reference_id := old.reference_id;
    v_action.request := old.request;
    v_action.before := old.before;
    v_action.after := old.after;
    v_action.result := old.result;
    if v_action is not distinct from old
      and new.reason = 'erased'
      and (new.reference_id is null or new.reference_id ~ '^erased [0-9a-f-]{36}$')
      and (new.request is null or new.request = '{}' or new.request is not distinct from old.request)
      and (new.before is null or new.before is not distinct from old.before)
      and (new.after is null or new.after is not distinct from old.after)
      and (new.result is null or new.result is not distinct from old.result)
      and private.is_erasing()
    then
      return new;
    end if;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end;
$$;

comment on function private.keep_operator_actions is
  'Trigger of operator_actions. As private.refuse_change, but for what private.replace_references does.';
