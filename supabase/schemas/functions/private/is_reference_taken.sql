-- Whether a reference is reserved or charged, here or in an account that was merged into this one.
create function private.is_reference_taken(user_id uuid, reference_id text)
returns boolean
language plpgsql
-- Volatile, although it only reads: so it sees what was committed while the statement that calls it
-- waited for the user's lock.
volatile
set search_path = ''
as $$
begin
  return exists (
    select from public.holds h
    where h.user_id = is_reference_taken.user_id
      and h.reference_id = is_reference_taken.reference_id
      and h.state = 'open'
  )
  or (private.find_charge(is_reference_taken.user_id, is_reference_taken.reference_id)).user_id
    is not null;
end;
$$;

comment on function private.is_reference_taken is
  'For the user of a locked row.';
