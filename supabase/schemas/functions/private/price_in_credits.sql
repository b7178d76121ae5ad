-- What a quantity costs: so many credits for each started block of so many units, and a minimum.
--
-- Without a search_path of its own, so that PostgreSQL makes it part of the statements that charge. A
-- body that is parsed when the function is created depends on no search_path.
create function private.price_in_credits(
  quantity integer,
  credits integer,
  per_quantity integer,
  minimum_credits integer
)
returns bigint
language sql
immutable
return greatest(
  $4,
  ($1::bigint + $3 - 1) / $3 * $2
);

comment on function private.price_in_credits is
  'Whole credits, rounded up for each started block. Quantities up to ten million and prices up to a thousand credits cannot overflow it.';
