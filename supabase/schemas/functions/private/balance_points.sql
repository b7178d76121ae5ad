-- Returns points for a picture of a balance over time, however long its history is.
create function private.balance_points(account public.users)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_max_points constant integer := 200;
  v_count constant integer := (account).transaction_count;
begin
  return (
    with grants as materialized (
      select t.sequence_number from public.credit_transactions t
      where t.user_id = (account).id and t.source in ('system', 'payment', 'merge')
    ),
    chosen (place) as (
      select place from generate_series(1, v_count) place where v_count <= v_max_points
      union
      -- Of a long history, entries at equal distances, to the newest one. Numbers have no gaps.
      select ceil(step * v_count::bigint / (v_max_points / 2.0))::integer
      from generate_series(1, v_max_points / 2) step
      where v_count > v_max_points
      union
      -- Between those, a balance mostly falls by small steps, and leaps where credits come: both ends of
      -- the newest leaps.
      select g.sequence_number - n.back
      from (
        select g.sequence_number from grants g order by g.sequence_number desc
        limit v_max_points / 4
      ) g, generate_series(0, 1) n (back)
      where v_count > v_max_points
    )
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'sequence_number', t.sequence_number,
          'created_at', t.created_at,
          'balance_after', t.balance_after
        )
        order by t.sequence_number
      ),
      '[]'
    )
    from chosen c
    -- One row of the key for each, instead of the whole history.
    cross join lateral (
      select t.* from public.credit_transactions t
      where t.user_id = (account).id and t.sequence_number = c.place
      limit 1
    ) t
  );
end;
$$;

comment on function private.balance_points is
  'Part of get_customer. Oldest first, at most 200: every entry of a short history; of a longer one, 100 evenly spaced entries with the newest, and the newest 50 welcomes, payments and merges, each with the entry before it.';
