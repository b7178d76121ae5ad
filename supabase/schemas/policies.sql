-- Which rows a page may read from the Data API, in the tables that grants.sql lets it read. Row level
-- security is on for every table, so a table without a policy shows no rows.

-- The price list is public: a page reads it with the publishable key.
create policy "Anybody may read the packages that are for sale"
  on public.packages for select to anon, authenticated
  using (is_active);

create policy "Anybody may read what actions cost now"
  on public.action_prices for select to anon, authenticated
  using (valid_from <= clock_timestamp() and valid_until > clock_timestamp());

-- A session proves a phone number, and with it the user that the rows belong to.
create policy "A session reads its own user"
  on public.users for select to authenticated
  using (id = (select private.session_user_id()));

create policy "A session reads its own history"
  on public.credit_transactions for select to authenticated
  using (user_id = (select private.session_user_id()));

-- Realtime sends a row to anyone who may select it. Only Supabase projects have this publication.
do $$
begin
  if exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    alter publication supabase_realtime add table public.users, public.credit_transactions;
  end if;
end;
$$;
