-- Returns what a call costs, given an action and either a quantity or the credits themselves.
create function private.find_price(action text, quantity integer, credits integer)
returns private.price_of_a_call
language plpgsql
stable
set search_path = ''
as $$
declare
  v_price private.price_of_a_call;
begin
  select p.id,
    coalesce(
      find_price.credits,
      private.price_in_credits(find_price.quantity, p.credits, p.per_quantity, p.minimum_credits)
    ),
    p.done_message
  into v_price
  from private.current_prices p
  where p.action_id = find_price.action;
  return v_price;
end;
$$;

comment on function private.find_price is
  'Null if the action is unknown, retired, or not priced yet.';
