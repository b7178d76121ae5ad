-- The part of an event address that may be shown.
create function private.shown_address(url text)
returns text
language sql
immutable
set search_path = ''
as $$
  select regexp_replace($1, '[?].*', '');
$$;

comment on function private.shown_address is
  'Without its query, which may hold a secret.';
