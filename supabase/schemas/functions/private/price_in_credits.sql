-- What a quantity costs: so many credits for each started block of so many units, and a minimum.
create function private.price_in_credits(
  quantity integer,
  credits integer,
  per_quantity integer,
  minimum_credits integer
)
returns bigint
-- Not in SQL, which would be planned anew for every call.
language plpgsql
immutable
set search_path = ''
as $$
begin
  return greatest(
    minimum_credits,
    (quantity::bigint + per_quantity - 1) / per_quantity * credits
  );
end;
$$;

comment on function private.price_in_credits is
  'Whole credits, rounded up for each started block. Quantities up to ten million and prices up to a thousand credits cannot overflow it.';
