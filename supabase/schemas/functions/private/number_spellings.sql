-- Returns the spellings of a phone number that Supabase Auth may have, all in E.164: the one that is dialed
-- today, and the old one where the country has any.
--
-- The rules are those of functions-shared/old-spelling.ts, which knows the first of the two.
create function private.number_spellings(phone_number text)
returns text[]
language sql
immutable
set search_path = ''
as $$
  select array_remove(array[d.dialed, nullif(o.old, d.dialed)], null)
  from (
    select regexp_replace(regexp_replace(regexp_replace($1,
      '^\+521([0-9]{10})$', '+52\1'),
      '^\+55([1-9][0-9])([6-9][0-9]{7})$', '+55\19\2'),
      '^\+54([1-8][0-9]{9})$', '+549\1')
  ) d (dialed)
  cross join lateral (
    select regexp_replace(regexp_replace(regexp_replace(d.dialed,
      '^\+52([0-9]{10})$', '+521\1'),
      '^\+55([1-9][0-9])9([6-9][0-9]{7})$', '+55\1\2'),
      '^\+549([1-8][0-9]{9})$', '+54\1')
  ) o (old)
$$;

comment on function private.number_spellings is
  'One or two, the one that is dialed today first. Either of them leads to both.';
