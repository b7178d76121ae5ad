-- Returns what the check of the books has found and not found gone since.
create function public.list_violations()
returns table (violations jsonb, checked_at timestamptz, runs jsonb, whole_run jsonb)
language sql
stable
security definer
set search_path = ''
as $$
  select
    (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'invariant', v.invariant,
          'subject', v.subject,
          'detail', v.detail,
          'found_at', v.found_at,
          'user_id', v.user_id,
          'order_id', v.order_id
        )
        order by v.found_at, v.id
      ), '[]')
      from (
        select v.* from public.book_violations v
        where v.gone_at is null
        order by v.found_at, v.id
        limit 1000
      ) v
    ),
    (select c.checked_at from public.book_checks c order by c.id desc limit 1),
    (
      select coalesce(jsonb_agg(private.check_run(c) order by c.id desc), '[]')
      from (select c.* from public.book_checks c order by c.id desc limit 50) c
    ),
    (
      select private.check_run(c) from public.book_checks c where c.is_whole
      order by c.id desc
      limit 1
    );
$$;

comment on function public.list_violations is
  'One row. At most 1,000 violations, oldest first. checked_at: of the newest run; null if there was none. runs: the newest 50, newest first. whole_run: the newest that checked everything.';
