-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

DROP FUNCTION "public"."list_attention"();

DROP FUNCTION "public"."list_violations"();

CREATE OR REPLACE FUNCTION private.action_details (
  deed public.operator_actions
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return jsonb_build_object(
    'action_id', (deed).id,
    'created_at', (deed).created_at,
    'action', (deed).action,
    'operator', (deed).operator,
    'reason', (deed).reason,
    'outcome', (deed).outcome,
    'reference_id', (deed).reference_id,
    'user_id', (deed).user_id,
    'order_id', (deed).order_id,
    'payment_id', (deed).payment_id,
    'request', (deed).request,
    'before', (deed).before,
    'after', (deed).after,
    'result', (deed).result,
    'completes_action_id', (deed).completes
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.actions_on_customer (
  user_id uuid
)
  RETURNS TABLE (
    action_id bigint
  )
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
begin
  return query
  -- The record names the account as it was then, which may have been merged since.
  select a.id from public.operator_actions a
  where a.user_id = any (array(
    select u.id from public.users u
    where u.id = actions_on_customer.user_id or u.merged_into = actions_on_customer.user_id
  ))
  union
  -- What is done about an order does not always name its customer.
  select a.id from public.operator_actions a
  where a.order_id = any (array(
    select o.order_id from private.orders_of_customer(actions_on_customer.user_id) o
  ));
end;
$function$;

CREATE OR REPLACE FUNCTION private.balance_points (
  account public.users
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.check_run (
  run public.book_checks
)
  RETURNS jsonb
  LANGUAGE sql
  STABLE
  SET search_path TO ''
  AS $function$
  select jsonb_build_object(
    'checked_at', ($1).checked_at,
    'is_whole', ($1).is_whole,
    'since', ($1).since,
    'before', ($1).before,
    'violation_count', ($1).violation_count
  );
$function$;

CREATE OR REPLACE FUNCTION private.customer_details (
  account public.users
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return private.customer_profile(account) || jsonb_build_object(
    'entries', private.page_of_entries((account).id, 20) -> 'entries',
    'holds', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'reference_id', h.reference_id,
          'action', h.action_id,
          'credits', h.credits,
          'created_at', h.created_at,
          'expires_at', h.expires_at
        )
        order by h.expires_at
      ), '[]')
      from (
        select h.* from public.holds h
        where h.user_id = (account).id and h.state = 'open' and h.expires_at > clock_timestamp()
        order by h.expires_at
        limit 50
      ) h
    ),
    'orders', (
      select coalesce(jsonb_agg(private.order_details(o.id) order by o.place), '[]')
      from unnest(private.newest_orders((account).id)) with ordinality o (id, place)
    ),
    'actions', (
      select coalesce(jsonb_agg(private.action_details(a) order by a.id desc), '[]')
      from (
        select a.* from public.operator_actions a
        where a.user_id = (account).id
        order by a.id desc
        limit 20
      ) a
    )
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.customer_profile (
  account public.users
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return jsonb_build_object(
    'user_id', (account).id,
    'phone_number', (account).phone_number,
    'created_at', (account).created_at,
    'credits', (account).credits,
    'remaining_credits', private.remaining_credits(account),
    'reserved_credits', private.reserved_credits(account),
    'debt_credits', (account).debt_credits,
    'frozen', (account).frozen_at is not null,
    'frozen_at', (account).frozen_at,
    'erased_at', (account).erased_at,
    'flags', to_jsonb(array_remove(array[
      case when (account).frozen_at is not null then 'frozen' end,
      case when (account).debt_credits > 0 then 'debt' end,
      case
        when exists (
          select from public.payment_orders o
          join public.payments p on p.order_id = o.id and p.flag is not null
          where o.user_id = (account).id
        )
        then 'flagged_payment'
      end,
      case
        when exists (
          select from public.operator_actions a
          where a.user_id = (account).id and a.outcome = 'asked'
            and not exists (select from public.operator_actions c where c.completes = a.id)
        )
        then 'unfinished_refund'
      end
    ], null)),
    'identities', (
      select coalesce(jsonb_agg(
        jsonb_build_object('kind', i.kind, 'value', i.value) order by i.kind, i.value
      ), '[]')
      from (
        select i.* from public.identities i
        where i.user_id = (account).id
        order by i.kind, i.value
        limit 20
      ) i
    ),
    'merged_user_ids', (
      select coalesce(jsonb_agg(m.id order by m.id), '[]')
      from (
        select m.id from public.users m where m.merged_into = (account).id order by m.id limit 20
      ) m
    )
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.event_details (
  event public.events
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return jsonb_build_object(
    'event_id', (event).id,
    'type', (event).type,
    'created_at', (event).created_at,
    'state', (event).state,
    'order_id', (event).order_id,
    'credits', (event).credits,
    'remaining_credits', (event).remaining_credits,
    'data', (event).data,
    'deliveries', coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'address', private.shown_address(d.url),
          'state', d.state,
          'attempts', d.attempts,
          'last_failure', case
            when d.last_status between 200 and 299 then null
            else coalesce(d.last_error, 'status ' || d.last_status)
          end,
          'last_attempt_at', d.last_attempt_at,
          'next_attempt_at', d.next_attempt_at,
          'finished_at', d.finished_at
        )
        order by d.address_id
      )
      from (
        select d.*, a.url
        from public.event_deliveries d
        join public.event_addresses a on a.id = d.address_id
        where d.event_id = (event).id
        order by d.address_id
        limit 20
      ) d
    ), '[]')
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.newest_orders (
  user_id uuid
)
  RETURNS uuid[]
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return array(
    select o.order_id from private.orders_of_customer(newest_orders.user_id) o
    order by o.created_at desc
    limit 20
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.order_details (
  order_id uuid
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return (
    select private.order_summary(o) || jsonb_build_object(
      'payments', coalesce((
        select jsonb_agg(private.payment_summary(p) order by p.created_at desc)
        from (
          select p.* from public.payments p
          where p.order_id = o.id
          order by p.created_at desc
          limit 20
        ) p
      ), '[]')
    )
    from public.payment_orders o
    where o.id = order_details.order_id
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.order_life (
  order_id uuid
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return (
    select private.order_summary(o) || jsonb_build_object(
      'package_name', o.package_name,
      'key_mode', o.key_mode,
      'razorpay_payment_link_id', o.razorpay_payment_link_id,
      'razorpay_payment_id', o.razorpay_payment_id,
      'tried_at', o.tried_at,
      'checked_at', o.checked_at,
      'next_check_at', case when isfinite(o.next_check_at) then o.next_check_at end,
      'erased_at', o.erased_at,
      'reference_ids', coalesce((
        select jsonb_agg(r.reference_id order by r.created_at)
        from (
          select r.reference_id, r.created_at from public.order_references r
          where r.order_id = o.id
          order by r.created_at
          limit 20
        ) r
      ), '[]'),
      'payments', coalesce((
        select jsonb_agg(private.payment_life(p) order by p.created_at desc)
        from (
          select p.* from public.payments p
          where p.order_id = o.id
          order by p.created_at desc
          limit 20
        ) p
      ), '[]')
    )
    from public.payment_orders o
    where o.id = order_life.order_id
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.order_summary (
  intent public.payment_orders
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return jsonb_build_object(
    'order_id', (intent).id,
    'state', (intent).state,
    'channel', (intent).channel,
    'phone_number', (intent).phone_number,
    'whatsapp_user_id', (intent).whatsapp_user_id,
    'package_id', (intent).package_id,
    'credits', (intent).credits,
    'amount_paise', (intent).amount_paise,
    'razorpay_order_id', (intent).razorpay_order_id,
    'created_at', (intent).created_at,
    'paid_at', (intent).paid_at
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.orders_of_customer (
  user_id uuid
)
  RETURNS TABLE (
    order_id   uuid,
    created_at timestamp with time zone
  )
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
begin
  return query
  select o.id, o.created_at from public.payment_orders o
  where o.user_id = orders_of_customer.user_id
  union
  -- Those that are not paid belong to a number or a WhatsApp user id.
  select o.id, o.created_at
  from public.identities i
  join public.payment_orders o on i.kind = 'phone' and o.phone_number = i.value
  where i.user_id = orders_of_customer.user_id and o.user_id is null
  union
  select o.id, o.created_at
  from public.identities i
  join public.payment_orders o on i.kind = 'whatsapp_user_id' and o.whatsapp_user_id = i.value
  where i.user_id = orders_of_customer.user_id and o.user_id is null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.page_of_entries (
  user_id                uuid,
  page_size              integer,
  before_sequence_number integer DEFAULT NULL::integer
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return (
    select jsonb_build_object(
      'entries', coalesce(
        jsonb_agg(
          jsonb_build_object(
            'sequence_number', p.sequence_number,
            'created_at', p.created_at,
            'action', p.action,
            'credits', p.credits,
            'source', p.source,
            'reference_id', p.reference_id,
            'balance_after', p.balance_after,
            'remaining_after', p.remaining_after,
            'quantity', p.quantity,
            'price', (
              select jsonb_build_object(
                'unit', a.unit,
                'credits', a.credits,
                'per_quantity', a.per_quantity,
                'minimum_credits', a.minimum_credits
              )
              from public.action_prices a where a.id = p.price_id
            ),
            'payment', case
              when p.source in ('payment', 'refund', 'dispute') then (
                select jsonb_build_object('payment_id', m.id, 'order_id', m.order_id)
                from public.payments m
                where m.id = case p.source
                  when 'payment' then p.reference_id
                  else (
                    select r.payment_id from public.payment_reversals r where r.id = p.reference_id
                  )
                end
              )
            end,
            'merged_user_id', case p.source
              when 'merge' then private.other_account(p.reference_id)
            end
          )
          order by p.sequence_number desc
        ),
        '[]'
      ),
      -- Numbers have no gaps, so the next page starts right below the oldest entry of this one.
      'next_cursor', case when min(p.sequence_number) > 1 then min(p.sequence_number) end
    )
    from (
      select t.* from public.credit_transactions t
      where t.user_id = page_of_entries.user_id
        and t.sequence_number
          < coalesce(page_of_entries.before_sequence_number::bigint, 2147483648)
      order by t.sequence_number desc
      limit page_of_entries.page_size
    ) p
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.payment_life (
  payment public.payments
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return private.payment_summary(payment) || jsonb_build_object(
    'granted_at', (payment).granted_at,
    'reversals', coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'reversal_id', r.id,
          'kind', r.kind,
          'status', r.status,
          'amount_paise', r.amount_paise,
          'is_money_gone', r.is_money_gone,
          'credits_taken', r.credits_taken,
          'credits_owed', r.credits_owed,
          'credits_forgiven', r.credits_forgiven,
          'created_at', r.created_at,
          'reported_at', r.reported_at
        )
        order by r.created_at desc
      )
      from (
        select r.* from public.payment_reversals r
        where r.payment_id = (payment).id
        order by r.created_at desc
        limit 20
      ) r
    ), '[]'),
    -- By their references, because the entries stay with the account that had the order then, even if it
    -- was merged into another one.
    'entries', coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'user_id', t.user_id,
          'sequence_number', t.sequence_number,
          'created_at', t.created_at,
          'action', t.action,
          'credits', t.credits,
          'source', t.source,
          'reference_id', t.reference_id,
          'balance_after', t.balance_after
        )
        order by t.created_at desc, t.sequence_number desc
      )
      from (
        select t.*
        from (
          select t.* from public.credit_transactions t
          where t.source = 'payment' and t.reference_id = (payment).id
          union all
          select t.* from public.credit_transactions t
          where t.source in ('refund', 'dispute') and t.reference_id = any (array(
            select r.id from public.payment_reversals r where r.payment_id = (payment).id
          ))
        ) t
        order by t.created_at desc, t.sequence_number desc
        limit 50
      ) t
    ), '[]')
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.payment_summary (
  payment public.payments
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return jsonb_build_object(
    'payment_id', (payment).id,
    'status', (payment).status,
    'amount_paise', (payment).amount_paise,
    'returned_paise', coalesce((
      select sum(r.amount_paise) from public.payment_reversals r
      where r.payment_id = (payment).id and r.is_money_gone
    ), 0),
    'credits_granted', (payment).credits_granted,
    'flag', (payment).flag,
    'created_at', (payment).created_at
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.shown_address (
  url text
)
  RETURNS text
  LANGUAGE sql
  IMMUTABLE
  SET search_path TO ''
  AS $function$
  select regexp_replace($1, '[?].*', '');
$function$;

CREATE OR REPLACE FUNCTION public.get_customer (
  user_id uuid
)
  RETURNS TABLE (
    outcome  text,
    customer jsonb
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_user public.users;
  v_user_ids uuid[];
  v_order_ids uuid[];
  v_page jsonb;
begin
  select u.* into v_user from public.users u
  where u.id = (
    select coalesce(named.merged_into, named.id) from public.users named
    where named.id = get_customer.user_id
  );
  if not found then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  v_user_ids := array(
    select u.id from public.users u where u.id = v_user.id or u.merged_into = v_user.id
  );
  v_order_ids := private.newest_orders(v_user.id);
  v_page := private.page_of_entries(v_user.id, 50);

  outcome := 'found';
  customer := private.customer_profile(v_user) || v_page || jsonb_build_object(
    'total_entries', v_user.transaction_count,
    'balance_points', private.balance_points(v_user),
    'holds', (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'reference_id', h.reference_id,
          'action', h.action_id,
          'quantity', h.quantity,
          'credits', h.credits,
          'created_at', h.created_at,
          'expires_at', h.expires_at,
          'is_expired', h.expires_at <= statement_timestamp()
        )
        order by h.expires_at
      ), '[]')
      from (
        select h.* from public.holds h
        where h.user_id = v_user.id and h.state = 'open'
        order by h.expires_at
        limit 100
      ) h
    ),
    'orders', (
      select coalesce(jsonb_agg(private.order_life(o.id) order by o.place), '[]')
      from unnest(v_order_ids) with ordinality o (id, place)
    ),
    'events', (
      select coalesce(jsonb_agg(private.event_details(e) order by e.created_at desc, e.id), '[]')
      from (
        select e.*
        from (
          select e.* from public.events e where e.user_id = any (v_user_ids)
          union all
          -- From before there was a user.
          select e.* from public.events e where e.order_id = any (v_order_ids) and e.user_id is null
        ) e
        order by e.created_at desc, e.id
        limit 20
      ) e
    ),
    'actions', (
      select coalesce(jsonb_agg(private.action_details(a) order by a.id desc), '[]')
      from (
        select a.* from public.operator_actions a
        where a.id = any (array(
          select c.action_id from private.actions_on_customer(v_user.id) c
          order by c.action_id desc
          limit 20
        ))
      ) a
    )
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."get_customer"(uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.list_actions_taken (
  page_size        integer,
  user_id          uuid    DEFAULT NULL::uuid,
  operator         text    DEFAULT NULL::text,
  before_action_id bigint  DEFAULT NULL::bigint
)
  RETURNS TABLE (
    outcome     text,
    actions     jsonb,
    next_cursor bigint
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  SET statement_timeout TO '4s'
  SET plan_cache_mode TO 'force_custom_plan'
  AS $function$
#variable_conflict use_column
declare
  v_user_id uuid;
  v_action_ids bigint[];
  v_page bigint[];
begin
  if list_actions_taken.user_id is not null then
    select coalesce(u.merged_into, u.id) into v_user_id from public.users u
    where u.id = list_actions_taken.user_id;
    if not found then
      outcome := 'user_not_found';
      return next;
      return;
    end if;
    v_action_ids := array(select c.action_id from private.actions_on_customer(v_user_id) c);
  end if;

  -- One more than asked for tells whether there is another page.
  v_page := array(
    select a.id from public.operator_actions a
    where (v_action_ids is null or a.id = any (v_action_ids))
      and (list_actions_taken.operator is null or a.operator = list_actions_taken.operator)
      and (
        list_actions_taken.before_action_id is null or a.id < list_actions_taken.before_action_id
      )
    order by a.id desc
    limit list_actions_taken.page_size + 1
  );
  if cardinality(v_page) > list_actions_taken.page_size then
    v_page := v_page[:list_actions_taken.page_size];
    next_cursor := v_page[list_actions_taken.page_size];
  end if;

  outcome := 'listed';
  select coalesce(jsonb_agg(private.action_details(a) order by a.id desc), '[]') into actions
  from public.operator_actions a where a.id = any (v_page);
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."list_actions_taken"(integer, uuid, text, bigint) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.list_attention()
  RETURNS TABLE (
    kind         text,
    subject      text,
    since        timestamp with time zone,
    detail       text,
    remedy       text,
    user_id      uuid,
    order_id     uuid,
    payment_id   text,
    reference_id text,
    amount_paise integer,
    events_from  timestamp with time zone
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  -- Every branch reads a partial index of the few rows that may need attention, never a whole table.
  select 'flagged payment', p.id, p.created_at,
    format('%s: %s paise of order %s bought nothing; refund them', p.flag, p.amount_paise, p.order_id),
    'refund-payment', coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id)),
    o.id, p.id, null::text, (p.amount_paise - returned.paise)::integer, null::timestamptz
  from public.payments p
  join public.payment_orders o on o.id = p.order_id
  cross join lateral (
    select coalesce(sum(r.amount_paise), 0) as paise from public.payment_reversals r
    where r.payment_id = p.id and r.is_money_gone
  ) returned
  where p.flag is not null and p.amount_paise > returned.paise

  union all
  select 'debt', coalesce(u.phone_number, u.id::text), min(d.created_at),
    format('%s credits were spent before they were taken back', u.debt_credits),
    'forgive-debt', u.id, null, null, null, null, null
  from private.debts d
  join public.users u on u.id = d.user_id
  -- Whoever was erased will never have the credits to pay it.
  where u.erased_at is null
  group by u.id

  union all
  select 'unfinished refund', a.reference_id, a.created_at,
    format('%s asked Razorpay to refund %s paise of %s, and what came of it is not known; ask again with '
      'the same reference', a.operator, a.after ->> 'amount_paise', a.payment_id),
    'refund-payment', a.user_id, a.order_id, a.payment_id, a.reference_id,
    -- As it was asked for, because only the same request is a repeated one.
    (a.request ->> 'amount_paise')::integer, null
  from public.operator_actions a
  where a.outcome = 'asked'
    and a.created_at < statement_timestamp() - interval '1 minute'
    and not exists (select from public.operator_actions c where c.completes = a.id)

  union all
  select 'open order', o.id::text, o.created_at,
    format('%s paise by %s since %s, last tried payment %s', o.amount_paise, o.channel, o.created_at,
      tried.id || ' ' || tried.status),
    'settle-order', private.find_user_id(o.phone_number, o.whatsapp_user_id), o.id, tried.id, null,
    o.amount_paise, null
  from public.payment_orders o
  left join lateral (
    select p.id, p.status from public.payments p where p.order_id = o.id
    order by p.created_at desc
    limit 1
  ) tried on true
  where o.state = 'open' and o.tried_at is not null and o.next_check_at is not null
    and o.erased_at is null
    and o.created_at < statement_timestamp() - interval '15 minutes'

  union all
  select 'failed delivery', d.id::text, d.received_at,
    format('%s %s: %s', d.event, d.event_id, coalesce(d.outcome, 'cut off')),
    case when o.id is not null then 'settle-order' end,
    coalesce(o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id)), o.id,
    d.razorpay_payment_id, null, null, null
  from (
    select f.* from public.webhook_deliveries f where f.outcome = 'failed'
    union all
    select f.* from public.webhook_deliveries f
    where f.outcome is null and f.received_at < statement_timestamp() - interval '1 minute'
  ) d
  left join public.payment_orders o on o.id = coalesce(
    (select n.id from public.payment_orders n where n.razorpay_order_id = d.razorpay_order_id),
    (select p.order_id from public.payments p where p.id = d.razorpay_payment_id)
  )
  -- Superseded by a later successful delivery, unless it came without an id.
  where not exists (
    select from public.webhook_deliveries later
    where later.event_id = d.event_id and later.event_id <> '' and later.id > d.id
      and later.outcome <> 'failed'
  )

  union all
  select 'payment of no order', d.razorpay_payment_id, min(d.received_at),
    format('captured with this key''s account for Razorpay order %s, which is not ours; refund it',
      coalesce(max(d.razorpay_order_id), 'none')),
    null, null, null, d.razorpay_payment_id, null, null, null
  from public.webhook_deliveries d
  where d.outcome = 'not_ours'
    and d.received_at > statement_timestamp() - interval '30 days'
    and d.event in ('payment.captured', 'order.paid', 'payment_link.paid')
    and d.razorpay_payment_id is not null
    -- Booked after all, or already being returned.
    and not exists (select from public.payments p where p.id = d.razorpay_payment_id)
    and not exists (
      select from public.webhook_deliveries refund
      where refund.razorpay_payment_id = d.razorpay_payment_id and refund.event = 'refund.processed'
    )
  group by d.razorpay_payment_id

  union all
  select 'limit reached', c.action, c.window_ends_at - make_interval(secs => l.window_seconds),
    format('%s of at most %s for everybody together, until %s', c.count, l.max_count,
      c.window_ends_at),
    null, null, null, null, null, null, null
  from public.rate_limits l
  join public.rate_counters c on c.action = l.action and c.scope = l.scope and c.subject = 'all'
  where l.scope = 'project' and c.count >= l.max_count and c.window_ends_at > statement_timestamp()

  union all
  select 'broken invariant', v.subject, v.found_at, format('%s: %s', v.invariant, v.detail),
    null, v.user_id, v.order_id, null, null, null, null
  from public.book_violations v
  where v.gone_at is null

  union all
  select 'books unchecked', 'books', c.complete_until, 'no run has checked what was written since',
    null, null, null, null, null, null, null
  from (select b.complete_until from public.book_checks b order by b.id desc limit 1) c
  where c.complete_until < statement_timestamp() - interval '1 hour'

  union all
  select 'expired holds', 'every user', min(h.expires_at),
    format('%s of %s users have not been ended, first that of user %s: reconcile-payments fails, or '
      'nobody calls it, or the database''s log says why', count(*), count(distinct h.user_id),
      (array_agg(h.user_id order by h.expires_at))[1]),
    null, (array_agg(h.user_id order by h.expires_at))[1], null, null, null, null, null
  from public.holds h
  where h.state = 'open' and h.expires_at < statement_timestamp() - interval '15 minutes'
  having count(*) > 0

  union all
  select 'undelivered events', private.shown_address(a.url),
    least(a.paused_at, a.failing_since, dead.since),
    concat_ws('; ',
      case when a.paused_at is not null
        then format('it answered 410 and is sent nothing more: %s wait', waiting.count) end,
      case when a.paused_at is null and a.failures > 0
        then format('the last %s attempts failed (%s): %s wait', a.failures, a.last_failure, waiting.count)
      end,
      case when dead.count > 0 then format('%s were given up after three days', dead.count) end,
      'resend-events sends them again'
    ),
    -- One that is down is sent to again by itself.
    case when a.paused_at is not null or dead.count > 0 then 'resend-events' end,
    null, null, null, null, null, coalesce(dead.events_from, a.paused_at)
  from public.event_addresses a
  cross join lateral (
    select count(*) as count, min(d.finished_at) as since, min(e.created_at) as events_from
    from public.event_deliveries d
    join public.events e on e.id = d.event_id
    where d.address_id = a.id and d.state = 'dead'
  ) dead
  cross join lateral (
    select count(*) as count
    from public.event_deliveries d where d.address_id = a.id and d.state = 'pending'
  ) waiting
  where a.removed_at is null and (
    a.paused_at is not null
    or a.failing_since < statement_timestamp() - interval '15 minutes' and waiting.count > 0
    or dead.count > 0
  )

  union all
  select 'undelivered events', 'every address', min(e.created_at),
    format('%s wait to be handed out: deliver-events fails, or nobody calls it', count(*)),
    null, null, null, null, null, null, null
  from public.events e
  where e.state = 'new' and e.created_at < statement_timestamp() - interval '15 minutes'
    -- Without an address, events only wait for one.
    and exists (select from public.event_addresses a where a.removed_at is null)
  having count(*) > 0

  order by 3;
$function$;

REVOKE ALL ON FUNCTION "public"."list_attention"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.list_entries (
  user_id                uuid,
  page_size              integer,
  before_sequence_number integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome     text,
    total       integer,
    entries     jsonb,
    next_cursor integer
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_page jsonb;
begin
  select u.transaction_count into total from public.users u where u.id = list_entries.user_id;
  if not found then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  v_page := private.page_of_entries(
    list_entries.user_id, list_entries.page_size, list_entries.before_sequence_number
  );
  outcome := 'listed';
  entries := v_page -> 'entries';
  next_cursor := (v_page ->> 'next_cursor')::integer;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."list_entries"(uuid, integer, integer) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.list_violations()
  RETURNS TABLE (
    violations jsonb,
    checked_at timestamp with time zone,
    runs       jsonb,
    whole_run  jsonb
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  select
    (
      select coalesce(jsonb_agg(
        jsonb_build_object(
          'invariant', v.invariant,
          'subject', v.subject,
          'detail', v.detail,
          'found_at', v.found_at,
          'user_id', v.user_id,
          'order_id', v.order_id
        )
        order by v.found_at, v.id
      ), '[]')
      from (
        select v.* from public.book_violations v
        where v.gone_at is null
        order by v.found_at, v.id
        limit 1000
      ) v
    ),
    (select c.checked_at from public.book_checks c order by c.id desc limit 1),
    (
      select coalesce(jsonb_agg(private.check_run(c) order by c.id desc), '[]')
      from (select c.* from public.book_checks c order by c.id desc limit 50) c
    ),
    (
      select private.check_run(c) from public.book_checks c where c.is_whole
      order by c.id desc
      limit 1
    );
$function$;

REVOKE ALL ON FUNCTION "public"."list_violations"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.sales_report (
  first_day date,
  end_day   date
)
  RETURNS TABLE (
    days    jsonb,
    actions jsonb
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  SET statement_timeout TO '4s'
  SET plan_cache_mode TO 'force_custom_plan'
  SET random_page_cost TO '1.1'
  AS $function$
#variable_conflict use_column
declare
  v_max_days constant integer := 400;
  v_days constant integer := sales_report.end_day - sales_report.first_day;
  v_since constant timestamptz := sales_report.first_day::timestamp at time zone 'Asia/Kolkata';
  -- India does not change its clocks, so every day has 24 hours. To count in these takes a third of the
  -- time that it takes to convert every moment.
  v_day constant interval := interval '24 hours';
  v_until constant timestamptz := v_since + v_days * v_day;
begin
  if v_days not between 1 and v_max_days then
    raise exception 'a report is of 1 to % days', v_max_days
      using errcode = 'invalid_parameter_value';
  end if;

  with calendar as materialized (
    select sales_report.first_day + place as date, v_since + place * v_day as day
    from generate_series(0, v_days - 1) place
  ),
  -- A payment that bought nothing is no sale, and its refund takes nothing back from one.
  sales as (
    select date_bin(v_day, p.granted_at, v_since) as day, o.key_mode,
      count(*) as paid_orders,
      sum(p.amount_paise) as amount_paise,
      sum(p.credits_granted) as credits_sold
    from public.payments p
    join public.payment_orders o on o.id = p.order_id
    where p.granted_at >= v_since and p.granted_at < v_until
    group by 1, 2
  ),
  reversals as (
    select date_bin(v_day, r.reported_at, v_since) as day, o.key_mode,
      coalesce(sum(r.amount_paise) filter (where r.kind = 'refund'), 0) as refunded_paise,
      coalesce(sum(r.amount_paise) filter (where r.kind = 'dispute'), 0) as lost_paise
    from public.payment_reversals r
    join public.payments p on p.id = r.payment_id
    join public.payment_orders o on o.id = p.order_id
    where r.is_money_gone and r.reported_at >= v_since and r.reported_at < v_until
      and p.credits_granted > 0
    group by 1, 2
  ),
  money as materialized (
    select c.day, m.key_mode, jsonb_build_object(
      'paid_orders', coalesce(s.paid_orders, 0),
      'amount_paise', coalesce(s.amount_paise, 0),
      'credits_sold', coalesce(s.credits_sold, 0),
      'refunded_paise', coalesce(r.refunded_paise, 0),
      'lost_paise', coalesce(r.lost_paise, 0)
    ) as figures
    from calendar c
    cross join (values ('live'), ('test')) m (key_mode)
    left join sales s on s.day = c.day and s.key_mode = m.key_mode
    left join reversals r on r.day = c.day and r.key_mode = m.key_mode
  ),
  charges as materialized (
    select date_bin(v_day, t.created_at, v_since) as day, t.source as action_id,
      count(*) as charges,
      sum(t.quantity) as quantity,
      sum(t.credits) as credits
    from public.credit_transactions t
    where t.created_at >= v_since and t.created_at < v_until
      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
    group by 1, 2
  ),
  spent as (
    select c.action_id, sum(c.charges) as charges, sum(c.quantity) as quantity,
      sum(c.credits) as credits
    from charges c
    group by c.action_id
    order by credits desc, c.action_id
    limit 50
  )
  select
    (
      select jsonb_agg(
        jsonb_build_object(
          'date', c.date,
          'live', live.figures,
          'test', test.figures,
          'charges', coalesce(total.charges, 0),
          'credits_spent', coalesce(total.credits, 0)
        )
        order by c.day
      )
      from calendar c
      join money live on live.day = c.day and live.key_mode = 'live'
      join money test on test.day = c.day and test.key_mode = 'test'
      left join (
        select h.day, sum(h.charges) as charges, sum(h.credits) as credits
        from charges h group by h.day
      ) total on total.day = c.day
    ),
    (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'action', s.action_id,
            'unit', (
              select a.unit from public.action_prices a where a.action_id = s.action_id
              order by a.valid_from desc
              limit 1
            ),
            'charges', s.charges,
            'quantity', coalesce(s.quantity, 0),
            'credits', s.credits,
            'credits_per_day', (
              select jsonb_agg(coalesce(h.credits, 0) order by c.day)
              from calendar c
              left join charges h on h.day = c.day and h.action_id = s.action_id
            )
          )
          order by s.credits desc, s.action_id
        ),
        '[]'
      )
      from spent s
    )
  into days, actions;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."sales_report"(date, date) FROM PUBLIC, "anon", "authenticated";

CREATE INDEX book_checks_of_the_whole ON public.book_checks USING btree (id)
  WHERE is_whole;

CREATE INDEX operator_actions_by_operator ON public.operator_actions USING btree (operator, id);

CREATE INDEX payment_reversals_of_money ON public.payment_reversals USING btree (reported_at)
  WHERE is_money_gone;

CREATE INDEX payments_by_grant ON public.payments USING btree (granted_at)
  WHERE (granted_at IS NOT NULL);

COMMENT ON FUNCTION "private"."action_details"(public.operator_actions) IS 'Part of find_customers, get_customer and list_actions_taken.';

COMMENT ON FUNCTION "private"."actions_on_customer"(uuid) IS 'Those on the account, on the accounts that were merged into it, and on its orders.';

COMMENT ON FUNCTION "private"."balance_points"(public.users) IS 'Part of get_customer. Oldest first, at most 200: every entry of a short history; of a longer one, 100 evenly spaced entries with the newest, and the newest 50 welcomes, payments and merges, each with the entry before it.';

COMMENT ON FUNCTION "private"."check_run"(public.book_checks) IS 'Part of list_violations. since and before: what was written then was checked; null if everything was.';

COMMENT ON FUNCTION "private"."customer_profile"(public.users) IS 'Part of find_customers and get_customer. At most 20 identities and merged accounts.';

COMMENT ON FUNCTION "private"."event_details"(public.events) IS 'Part of get_customer. last_failure: the status that was answered, or why there was no answer; null where the last attempt succeeded or there was none.';

COMMENT ON FUNCTION "private"."newest_orders"(uuid) IS 'Part of find_customers and get_customer. At most 20, newest first.';

COMMENT ON FUNCTION "private"."order_life"(uuid) IS 'Part of get_customer. The newest 20 payments, and the first 20 references.';

COMMENT ON FUNCTION "private"."order_summary"(public.payment_orders) IS 'Part of order_details and order_life.';

COMMENT ON FUNCTION "private"."orders_of_customer"(uuid) IS 'Those that the account has paid, and those that wait for a payment and are for one of its identities.';

COMMENT ON FUNCTION "private"."page_of_entries"(uuid, integer, integer) IS '{entries, next_cursor}, where next_cursor is null on the last page. price: by which the entry came about. payment: what was bought or returned. merged_user_id: the other account of a merge.';

COMMENT ON FUNCTION "private"."payment_life"(public.payments) IS 'Part of get_customer. The newest 20 refunds and disputes, and the newest 50 entries.';

COMMENT ON FUNCTION "private"."payment_summary"(public.payments) IS 'Part of order_details and payment_life.';

COMMENT ON FUNCTION "private"."shown_address"(text) IS 'Without its query, which may hold a secret.';

COMMENT ON FUNCTION "public"."get_customer"(uuid) IS 'One row. user_id: if the account was merged into another one, that one is meant. outcome: found (erased or not); user_not_found. The newest of everything that grows: 50 entries, with next_cursor for list_entries, 20 orders, 20 events, 20 actions. The 100 open holds that expire first, including those that have expired and that nothing has ended yet.';

COMMENT ON FUNCTION "public"."list_actions_taken"(integer, uuid, text, bigint) IS 'One row. user_id: what was done to this customer, on an account that was merged or on an order too; if the account was merged into another one, that one is meant. operator: by this name. outcome: listed; user_not_found. next_cursor is the next before_action_id, null on the last page.';

COMMENT ON FUNCTION "public"."list_attention"() IS 'remedy: the Edge Function that helps, null if none does by itself. user_id, order_id, payment_id, reference_id (of a refund): what it is about. amount_paise: of the refund or the order; of an unfinished refund, null if all that was left was asked for. events_from: since when events have to be sent again. kind: flagged payment (refund it in Razorpay''s dashboard); debt; unfinished refund (call refund-payment again with the same reference); open order (older than 15 minutes, still watched, and somebody tried to pay it); failed delivery; payment of no order (captured money that belongs to no order of ours: until it is booked or refunded, for 30 days); undelivered events (per address: paused by 410, failing for 15 minutes, or given up; or not handed out for 15 minutes); limit reached (a limit for everybody together, until its window ends); broken invariant (found by run_book_check, until it is found no more); books unchecked (run_book_check fails or is no longer called); expired holds (expire_holds fails for somebody or is no longer called, for 15 minutes).';

COMMENT ON FUNCTION "public"."list_entries"(uuid, integer, integer) IS 'One row. outcome: listed; user_not_found. Newest first. total counts all entries of the account; next_cursor is null on the last page. Of an account that was merged into another one, its own history until then.';

COMMENT ON FUNCTION "public"."list_violations"() IS 'One row. At most 1,000 violations, oldest first. checked_at: of the newest run; null if there was none. runs: the newest 50, newest first. whole_run: the newest that checked everything.';

COMMENT ON FUNCTION "public"."sales_report"(date, date) IS 'One row. From first_day until before end_day, days of India, at most 400. days: one for each, with the money of live and of test keys apart: payments that granted credits, on the day of the grant; refunded_paise and lost_paise (disputes) of such payments, on the day when Razorpay reported it. charges and credits_spent: whatever a bot charged for. actions: the 50 that most credits were spent on, with credits_per_day in the order of days; quantity counts only charges that named one.';

REVOKE ALL ON FUNCTION "private"."action_details"(public.operator_actions) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."action_details"(public.operator_actions) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."action_details"(public.operator_actions) TO "postgres";

REVOKE ALL ON FUNCTION "private"."actions_on_customer"(uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."actions_on_customer"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."actions_on_customer"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."balance_points"(public.users) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."balance_points"(public.users) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."balance_points"(public.users) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_run"(public.book_checks) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."check_run"(public.book_checks) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."check_run"(public.book_checks) TO "postgres";

REVOKE ALL ON FUNCTION "private"."customer_profile"(public.users) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."customer_profile"(public.users) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."customer_profile"(public.users) TO "postgres";

REVOKE ALL ON FUNCTION "private"."event_details"(public.events) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."event_details"(public.events) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."event_details"(public.events) TO "postgres";

REVOKE ALL ON FUNCTION "private"."newest_orders"(uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."newest_orders"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."newest_orders"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."order_life"(uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."order_life"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."order_life"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."order_summary"(public.payment_orders) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."order_summary"(public.payment_orders) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."order_summary"(public.payment_orders) TO "postgres";

REVOKE ALL ON FUNCTION "private"."orders_of_customer"(uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."orders_of_customer"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."orders_of_customer"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."page_of_entries"(uuid, integer, integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."page_of_entries"(uuid, integer, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."page_of_entries"(uuid, integer, integer) TO "postgres";

REVOKE ALL ON FUNCTION "private"."payment_life"(public.payments) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."payment_life"(public.payments) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."payment_life"(public.payments) TO "postgres";

REVOKE ALL ON FUNCTION "private"."payment_summary"(public.payments) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."payment_summary"(public.payments) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."payment_summary"(public.payments) TO "postgres";

REVOKE ALL ON FUNCTION "private"."shown_address"(text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."shown_address"(text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."shown_address"(text) TO "postgres";

REVOKE ALL ON FUNCTION "public"."get_customer"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_customer"(uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_customer"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_actions_taken"(integer, uuid, text, bigint) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_actions_taken"(integer, uuid, text, bigint) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_actions_taken"(integer, uuid, text, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_attention"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_attention"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_attention"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_entries"(uuid, integer, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_entries"(uuid, integer, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_entries"(uuid, integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_violations"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_violations"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_violations"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."sales_report"(date, date) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."sales_report"(date, date) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."sales_report"(date, date) TO "service_role";
