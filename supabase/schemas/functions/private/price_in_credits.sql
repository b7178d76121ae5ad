-- What a quantity costs: so many credits for each started block of so many units, and a minimum.
create function private.price_in_credits(
  quantity integer,
  credits integer,
  per_quantity integer,
  minimum_credits integer
)
returns bigint
language sql
immutable
set search_path = ''
return greatest(
  $4,
  ($1::bigint + $3 - 1) / $3 * $2
);

comment on function private.price_in_credits is
  'Whole credits, rounded up for each started block. Quantities up to ten million and prices up to a thousand credits cannot overflow it.';
