-- What is known about a run of the check of the books.
create function private.check_run(run public.book_checks)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'checked_at', ($1).checked_at,
    'is_whole', ($1).is_whole,
    'since', ($1).since,
    'before', ($1).before,
    'violation_count', ($1).violation_count
  );
$$;

comment on function private.check_run is
  'Part of list_violations. since and before: what was written then was checked; null if everything was.';
