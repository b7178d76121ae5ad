-- A session proves a phone number. With it, a page may read its user's own rows straight from the
-- Data API and follow them with Realtime; it writes nothing, and sees nobody else's.
create function private.session_user_id()
returns uuid
language sql
stable
-- The policies are evaluated as the caller, who may not read the identities.
security definer
set search_path = ''
as $$
  -- Supabase Auth writes the number without its plus sign.
  select i.user_id from public.identities i
  where i.kind = 'phone'
    and i.value = '+' || ltrim(
      nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'phone', '+'
    );
$$;

comment on function private.session_user_id() is
  'The user whose phone number the session''s token carries; null without a session or a number.';

revoke execute on function private.session_user_id() from public, anon, service_role;
grant usage on schema private to authenticated;
grant execute on function private.session_user_id() to authenticated;

create policy "A session reads its own user"
  on public.users for select to authenticated
  using (id = (select private.session_user_id()));

create policy "A session reads its own history"
  on public.credit_transactions for select to authenticated
  using (user_id = (select private.session_user_id()));

grant select on table public.users, public.credit_transactions to authenticated;

-- Realtime sends a row to whoever may select it. Hosted projects have this publication.
do $$
begin
  if exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    alter publication supabase_realtime add table public.users, public.credit_transactions;
  end if;
end;
$$;
