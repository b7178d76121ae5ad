-- Lists the operators, also those who may do nothing any more.
create function public.list_operators()
returns table (
  user_id uuid,
  email text,
  name text,
  role text,
  disabled_at timestamptz,
  created_at timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  select o.user_id, o.email, o.name, o.role, o.disabled_at, o.created_at
  from public.operators o
  order by o.created_at;
$$;

comment on function public.list_operators is
  'In the order in which they were added.';
