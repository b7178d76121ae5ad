-- Whether two calls ask for the same, so that the second repeats the first.
create function private.is_same_request(
  first_action text,
  first_quantity integer,
  first_credits integer,
  action text,
  quantity integer,
  credits integer
)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- Requests are compared, not prices, which may have changed between the two.
  return first_action = action and case
    when first_quantity is not null and quantity is not null then first_quantity = quantity
    when first_quantity is null and credits is not null then first_credits = credits
    -- To a bot that knows no prices one image is one credit, whether it says so or not.
    else first_action = 'image_generation'
      and coalesce(first_quantity, first_credits) = 1 and coalesce(quantity, credits) = 1
  end;
end;
$$;

comment on function private.is_same_request is
  'first_quantity is null where the first call named the credits; of the second call either quantity or credits is null.';
