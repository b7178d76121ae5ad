-- Returns a page of what operators did, newest first.
create function public.list_actions_taken(
  page_size integer,
  user_id uuid default null,
  operator text default null,
  before_action_id bigint default null
)
returns table (outcome text, actions jsonb, next_cursor bigint)
language plpgsql
stable
security definer
set search_path = ''
set statement_timeout = '4s'
-- What was not asked for drops out of the condition, and what is left has an index.
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
declare
  v_user_id uuid;
  v_action_ids bigint[];
  v_page bigint[];
begin
  if list_actions_taken.user_id is not null then
    select coalesce(u.merged_into, u.id) into v_user_id from public.users u
    where u.id = list_actions_taken.user_id;
    if not found then
      outcome := 'user_not_found';
      return next;
      return;
    end if;
    v_action_ids := array(select c.action_id from private.actions_on_customer(v_user_id) c);
  end if;

  -- One more than asked for tells whether there is another page.
  v_page := array(
    select a.id from public.operator_actions a
    where (v_action_ids is null or a.id = any (v_action_ids))
      and (list_actions_taken.operator is null or a.operator = list_actions_taken.operator)
      and (
        list_actions_taken.before_action_id is null or a.id < list_actions_taken.before_action_id
      )
    order by a.id desc
    limit list_actions_taken.page_size + 1
  );
  if cardinality(v_page) > list_actions_taken.page_size then
    v_page := v_page[:list_actions_taken.page_size];
    next_cursor := v_page[list_actions_taken.page_size];
  end if;

  outcome := 'listed';
  select coalesce(jsonb_agg(private.action_details(a) order by a.id desc), '[]') into actions
  from public.operator_actions a where a.id = any (v_page);
  return next;
end;
$$;

comment on function public.list_actions_taken is
  'One row. user_id: what was done to this customer, on an account that was merged or on an order too; if the account was merged into another one, that one is meant. operator: by this name. outcome: listed; user_not_found. next_cursor is the next before_action_id, null on the last page.';
