-- Finds the users that something has happened to.
create function private.changed_users(since timestamptz, before timestamptz, order_ids uuid[])
returns uuid[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
begin
  return array(
    with changed as (
      select t.user_id from public.credit_transactions t
      where t.created_at >= changed_users.since and t.created_at < changed_users.before
      union
      select u.id from public.users u
      where u.created_at >= changed_users.since and u.created_at < changed_users.before
      union
      select i.user_id from public.identities i
      where i.created_at >= changed_users.since and i.created_at < changed_users.before
      union
      select h.user_id from public.holds h
      where h.created_at >= changed_users.since and h.created_at < changed_users.before
      union
      select h.user_id from public.holds h
      where h.ended_at >= changed_users.since and h.ended_at < changed_users.before
      union
      select a.user_id from public.adjustments a
      where a.changed_at >= changed_users.since and a.changed_at < changed_users.before
      union
      select o.user_id
      from unnest(changed_users.order_ids) c (id)
      join public.payment_orders o on o.id = c.id
      where o.user_id is not null
      union
      select r.user_id
      from unnest(changed_users.order_ids) c (id)
      join public.order_references r on r.order_id = c.id
    )
    select c.user_id from changed c
    union
    select u.id from public.users u join changed c on c.user_id = u.merged_into
  );
end;
$$;

comment on function private.changed_users is
  'Part of check_changes. Those with new entries, holds that opened or ended, adjustments that changed, new users, those with a new identity, and the owners of order_ids; and the accounts that were merged into any of them. Not those whose row alone has changed.';
