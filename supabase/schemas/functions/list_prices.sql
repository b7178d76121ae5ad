-- Returns what can be done for credits now, and what can be bought.
create function public.list_prices()
returns table (actions jsonb, packages jsonb)
language sql
stable
security definer
set search_path = ''
as $$
  select
    (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'id', p.action_id,
            'unit', p.unit,
            'credits', p.credits,
            'per_quantity', p.per_quantity,
            'minimum_credits', p.minimum_credits
          )
          order by p.action_id
        ),
        '[]'::jsonb
      )
      from private.current_prices p
    ),
    (
      select coalesce(
        jsonb_agg(
          jsonb_build_object('id', p.id, 'name', p.name, 'price', p.price, 'credits', p.credits)
          order by p.price, p.id
        ),
        '[]'::jsonb
      )
      from public.packages p
      where p.is_active
    );
$$;

comment on function public.list_prices is
  'One row: the price list of actions, in the order of their ids, and the packages for sale, cheapest first.';
