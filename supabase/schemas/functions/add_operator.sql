-- Makes a user of Supabase Auth an operator, or changes what an operator is called and may do.
create function public.add_operator(
  email text,
  name text,
  role text
)
returns table (outcome text, user_id uuid)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
#variable_conflict use_column
declare
  v_email constant text := lower(btrim(add_operator.email));
  v_user_id uuid;
  v_is_confirmed boolean;
  v_is_new boolean;
begin
  -- The table is Auth's own, and not every project has it: so nothing is named before it is looked for.
  if to_regclass('auth.users') is not null then
    execute
      'select u.id, u.email_confirmed_at is not null from auth.users u where lower(u.email) = $1'
    into v_user_id, v_is_confirmed using v_email;
  end if;
  if v_user_id is null then
    outcome := 'user_not_found';
  elsif not v_is_confirmed then
    outcome := 'email_not_confirmed';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  insert into public.operators as o (user_id, email, name, role)
  values (v_user_id, v_email, add_operator.name, add_operator.role)
  on conflict (user_id) do update
  set email = excluded.email, name = excluded.name, role = excluded.role, disabled_at = null
  returning o.xmax = 0 into v_is_new;
  outcome := case when v_is_new then 'added' else 'changed' end;
  user_id := v_user_id;
  return next;
end;
$$;

comment on function public.add_operator is
  'One row. outcome: added; changed (an operator before, who is enabled again if disabled); user_not_found (Auth has no user with this address); email_not_confirmed (whoever made that user may not be who has the address). Only added and changed change anything, and have user_id.';
