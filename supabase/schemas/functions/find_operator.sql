-- Finds the operator to whom a session belongs.
create function public.find_operator(
  user_id uuid,
  session_id uuid default null
)
returns table (outcome text, name text, role text)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  select 'found', o.name, o.role into outcome, name, role
  from public.operators o
  where o.user_id = find_operator.user_id and o.disabled_at is null;
  if outcome is null then
    outcome := 'not_an_operator';
  elsif private.has_session_ended(find_operator.user_id, find_operator.session_id) then
    outcome := 'session_ended';
    name := null;
    role := null;
  end if;
  return next;
end;
$$;

comment on function public.find_operator is
  'One row. user_id and session_id: of a session''s token whose signature was checked. outcome: found, with name and role; not_an_operator (there is no such operator, or a disabled one); session_ended (signed out since the token was made).';
