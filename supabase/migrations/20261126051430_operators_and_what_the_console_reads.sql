-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

-- Operators who sign in, what their console reads, orders under way for the owner of an account, and
-- the end of orders that somebody tried to pay in vain.

SET local check_function_bodies = off;

ALTER TABLE "public"."settings"
  DROP CONSTRAINT "name_is_known";

DROP FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint);

DROP FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text);

DROP FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean);

DROP FUNCTION "public"."ask_refund"(text, text, text, text, integer);

DROP FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text);

DROP FUNCTION "public"."erase_user"(uuid, text, text, jsonb);

DROP FUNCTION "public"."find_order"(text, text, text, boolean);

DROP FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer);

DROP FUNCTION "public"."freeze_user"(uuid, text, text, text);

DROP FUNCTION "public"."get_user"(text, text, text, text[], uuid);

DROP FUNCTION "public"."list_attention"();

DROP FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text);

DROP FUNCTION "public"."list_violations"();

DROP FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text);

DROP FUNCTION "public"."record_operator_action"(uuid, text, text, text);

DROP FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone);

DROP FUNCTION "public"."unfreeze_user"(uuid, text, text, text);

CREATE TABLE "public"."operators" (
  "user_id"     uuid                     NOT NULL,
  "email"       text                     NOT NULL,
  "name"        text                     NOT NULL,
  "role"        text                     NOT NULL,
  "disabled_at" timestamp with time zone,
  "created_at"  timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT "name_is_given" CHECK (((name ~ '\S'::text) AND (length(name) <= 200))),
  CONSTRAINT "operators_pkey" PRIMARY KEY (user_id),
  CONSTRAINT "role_is_known" CHECK ((role = ANY (ARRAY['support'::text, 'owner'::text])))
);

ALTER TABLE "public"."operators"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."operators" FROM "anon", "authenticated", "service_role";

ALTER TABLE "public"."operator_actions"
  ADD COLUMN "operator_id" uuid;

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

CREATE OR REPLACE FUNCTION private.delete_auth_users (
  phone_numbers text[]
)
  RETURNS text
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  -- Supabase Auth writes a number without its plus sign.
  v_spellings constant text[] := phone_numbers
    || array(select ltrim(p.number, '+') from unnest(phone_numbers) p (number));
  -- A log without an index: a longer one would take longer than the call may.
  v_max_log_entries constant integer := 1000000;
  v_user_ids uuid[];
  v_is_log_left boolean := false;
begin
  -- The tables are Auth's own, and not every project has them: so nothing is named before it is looked for.
  if to_regclass('auth.users') is null
    or not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = 'auth.users'::regclass and a.attname = 'phone' and not a.attisdropped
    )
  then
    return 'none';
  end if;

  execute 'select array(select u.id from auth.users u where u.phone = any ($1))'
  into v_user_ids using v_spellings;
  if to_regclass('auth.audit_log_entries') is not null then
    select c.reltuples > v_max_log_entries into v_is_log_left
    from pg_catalog.pg_class c where c.oid = 'auth.audit_log_entries'::regclass;
    if not v_is_log_left then
      -- As a text, because a number stands in several places: an administrator's entries name whom they are
      -- about, and those of a user who was deleted before still name that user.
      execute 'delete from auth.audit_log_entries e where e.payload::text like any ($1)'
      using array(
        select '%"' || n.name || '"%' from unnest(v_spellings || v_user_ids::text[]) n (name)
      );
    end if;
  end if;
  execute 'delete from auth.users u where u.id = any ($1)' using v_user_ids;
  -- Somebody else may be about to take over the number.
  execute 'update auth.users u set phone_change = '''', phone_change_token = ''''
    where u.phone_change = any ($1)'
  using v_spellings;
  if to_regclass('auth.one_time_tokens') is not null then
    execute 'delete from auth.one_time_tokens t where t.relates_to = any ($1)' using v_spellings;
  end if;
  return case when v_is_log_left then 'left' when cardinality(v_user_ids) > 0 then 'deleted' else 'none' end;
exception
  -- The tables may belong to a role that lends no rights, be of another shape, or be referred to.
  when insufficient_privilege or undefined_column or undefined_function or undefined_table
    or foreign_key_violation or restrict_violation or untranslatable_character
  then
    return 'left';
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

CREATE OR REPLACE FUNCTION private.has_session_ended (
  user_id    uuid,
  session_id uuid
)
  RETURNS boolean
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
declare
  v_is_open boolean;
begin
  -- The table is Auth's own, and not every project has it: so nothing is named before it is looked for.
  if has_session_ended.session_id is null or to_regclass('auth.sessions') is null then
    return false;
  end if;
  execute 'select exists (select from auth.sessions s where s.id = $1 and s.user_id = $2)'
  into v_is_open using has_session_ended.session_id, has_session_ended.user_id;
  return not v_is_open;
exception
  -- The table may belong to a role that lends no rights. Then the token's expiry has to do.
  when insufficient_privilege then
    return false;
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

CREATE OR REPLACE FUNCTION private.pending_orders (
  user_id uuid
)
  RETURNS jsonb
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
begin
  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'razorpay_order_id', o.razorpay_order_id,
          'package_id', o.package_id,
          'package_name', o.package_name,
          'credits', o.credits,
          'amount_paise', o.amount_paise,
          'created_at', o.created_at
        )
        order by o.created_at desc
      ),
      '[]'
    )
    from (
      select o.*
      from (
        -- An order that is not paid belongs to a number or a WhatsApp user id.
        select o.*
        from public.identities i
        join public.payment_orders o on o.phone_number = i.value
        where i.user_id = pending_orders.user_id
          and i.kind = 'phone'
          and o.state = 'open' and o.tried_at is not null and o.next_check_at is not null
        union
        select o.*
        from public.identities i
        join public.payment_orders o on o.whatsapp_user_id = i.value
        where i.user_id = pending_orders.user_id
          and i.kind = 'whatsapp_user_id'
          and o.state = 'open' and o.tried_at is not null and o.next_check_at is not null
      ) o
      where exists (
        select from public.payments p
        where p.order_id = o.id and p.status in ('created', 'authorized')
      )
      -- Where an order names two identities, the number decides whose it is.
      and private.find_user_id(o.phone_number, o.whatsapp_user_id) = pending_orders.user_id
      order by o.created_at desc
      limit 10
    ) o
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.record_action (
  action       text,
  operator     text,
  reason       text,
  outcome      text   DEFAULT 'done'::text,
  reference_id text   DEFAULT NULL::text,
  request      jsonb  DEFAULT NULL::jsonb,
  user_id      uuid   DEFAULT NULL::uuid,
  order_id     uuid   DEFAULT NULL::uuid,
  payment_id   text   DEFAULT NULL::text,
  before       jsonb  DEFAULT NULL::jsonb,
  after        jsonb  DEFAULT NULL::jsonb,
  result       jsonb  DEFAULT NULL::jsonb,
  completes    bigint DEFAULT NULL::bigint,
  operator_id  uuid   DEFAULT NULL::uuid
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  insert into public.operator_actions
    (action, operator, reason, outcome, reference_id, request, user_id, order_id, payment_id, before,
      after, result, completes, operator_id)
  values (record_action.action, record_action.operator, record_action.reason, record_action.outcome,
    record_action.reference_id, record_action.request, record_action.user_id, record_action.order_id,
    record_action.payment_id, record_action.before, record_action.after, record_action.result,
    record_action.completes, record_action.operator_id);
end;
$function$;

CREATE OR REPLACE FUNCTION private.set_frozen (
  user_id      uuid,
  is_frozen    boolean,
  operator     text,
  reason       text,
  reference_id text,
  operator_id  uuid,
  OUT          outcome text,
  OUT          result jsonb
)
  RETURNS record
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_action constant text := case when is_frozen then 'freeze-user' else 'unfreeze-user' end;
  v_request constant jsonb := jsonb_build_object('user_id', set_frozen.user_id);
  v_user public.users;
  v_before jsonb;
  v_is_changed boolean;
begin
  select r.outcome, r.result into outcome, result
  from private.repeated_action(v_action, set_frozen.reference_id, v_request) r;
  if outcome is not null then
    return;
  end if;

  v_user := private.lock_account(set_frozen.user_id);
  if v_user.id is null then
    outcome := 'user_not_found';
    return;
  end if;
  v_before := private.account_state(v_user);

  v_is_changed := is_frozen <> (v_user.frozen_at is not null);
  if v_is_changed then
    update public.users u
    set frozen_at = case when is_frozen then clock_timestamp() end
    where u.id = v_user.id
    returning * into v_user;
    perform private.tell(v_user.id, case when is_frozen then 'user.frozen' else 'user.unfrozen' end);
  end if;

  outcome := 'done';
  result := jsonb_build_object(
    'user_id', v_user.id, 'frozen', is_frozen, 'changed', v_is_changed
  );
  perform private.record_action(
    v_action, set_frozen.operator, set_frozen.reason,
    reference_id => set_frozen.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => set_frozen.operator_id
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

CREATE OR REPLACE FUNCTION public.add_operator (
  email text,
  name  text,
  role  text
)
  RETURNS TABLE (
    outcome text,
    user_id uuid
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_email constant text := lower(btrim(add_operator.email));
  v_user_id uuid;
  v_is_confirmed boolean;
  v_is_new boolean;
begin
  -- The table is Auth's own, and not every project has it: so nothing is named before it is looked for.
  if to_regclass('auth.users') is not null then
    execute
      'select u.id, u.email_confirmed_at is not null from auth.users u where lower(u.email) = $1'
    into v_user_id, v_is_confirmed using v_email;
  end if;
  if v_user_id is null then
    outcome := 'user_not_found';
  elsif not v_is_confirmed then
    outcome := 'email_not_confirmed';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  insert into public.operators as o (user_id, email, name, role)
  values (v_user_id, v_email, add_operator.name, add_operator.role)
  on conflict (user_id) do update
  set email = excluded.email, name = excluded.name, role = excluded.role, disabled_at = null
  returning o.xmax = 0 into v_is_new;
  outcome := case when v_is_new then 'added' else 'changed' end;
  user_id := v_user_id;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."add_operator"(text, text, text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.adjust_credits (
  user_id      uuid,
  credits      integer,
  operator     text,
  reason       text,
  reference_id text,
  allow_debt   boolean DEFAULT false,
  operator_id  uuid    DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_max_credits constant integer := 1000000;
  -- Far enough from the end of an integer that no payment fails to be booked.
  v_max_balance constant integer := 1000000000;
  v_request constant jsonb := jsonb_build_object(
    'user_id', adjust_credits.user_id,
    'credits', adjust_credits.credits,
    'allow_debt', coalesce(adjust_credits.allow_debt, false)
  );
  v_user public.users;
  v_before jsonb;
  v_taken integer;
  v_balance integer;
begin
  if adjust_credits.credits is null or adjust_credits.credits = 0
    or abs(adjust_credits.credits) > v_max_credits
  then
    raise exception 'an adjustment is a difference of at most % credits, and not 0', v_max_credits
      using errcode = 'invalid_parameter_value';
  end if;

  select r.outcome, r.result into outcome, result
  from private.repeated_action('adjust-credits', adjust_credits.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  v_user := private.lock_account(adjust_credits.user_id);
  v_before := private.account_state(v_user);
  v_taken := least(-adjust_credits.credits, v_user.credits - v_user.held_credits);
  if v_user.id is null then
    outcome := 'user_not_found';
  elsif v_taken < -adjust_credits.credits and not coalesce(adjust_credits.allow_debt, false) then
    outcome := 'not_enough_credits';
  elsif v_user.credits + adjust_credits.credits > v_max_balance
    or v_user.debt_credits - adjust_credits.credits > v_max_balance
  then
    outcome := 'too_many_credits';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  insert into public.adjustments (reference_id, user_id, credits, credits_owed)
  values (adjust_credits.reference_id, v_user.id, adjust_credits.credits,
    greatest(0, -adjust_credits.credits - v_taken));
  if adjust_credits.credits > 0 then
    perform private.post_entry(
      v_user.id, 'credit', adjust_credits.credits, 'adjustment', adjust_credits.reference_id
    );
    perform private.collect_debts(v_user.id);
  else
    update public.users u set debt_credits = u.debt_credits - adjust_credits.credits - v_taken
    where u.id = v_user.id;
    if v_taken > 0 then
      perform private.post_entry(
        v_user.id, 'debit', v_taken, 'adjustment', adjust_credits.reference_id
      );
    end if;
  end if;

  v_balance := v_user.credits;
  select u.* into strict v_user from public.users u where u.id = v_user.id;
  if adjust_credits.credits > 0 then
    perform private.tell(
      v_user.id, 'credits.granted',
      jsonb_build_object('source', 'adjustment', 'credits_added', adjust_credits.credits)
    );
  else
    perform private.tell(
      v_user.id, 'credits.taken_back',
      jsonb_build_object(
        'source', 'adjustment',
        'credits_taken', -adjust_credits.credits,
        'debt_credits', v_user.debt_credits
      )
    );
    perform private.tell_of_low_balance(v_user.id, v_balance, v_user.credits);
  end if;

  outcome := 'done';
  result := jsonb_build_object(
    'user_id', v_user.id, 'credits', v_user.credits, 'debt_credits', v_user.debt_credits
  );
  perform private.record_action(
    'adjust-credits', adjust_credits.operator, adjust_credits.reason,
    reference_id => adjust_credits.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => adjust_credits.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.ask_refund (
  payment_id   text,
  operator     text,
  reason       text,
  reference_id text,
  amount_paise integer DEFAULT NULL::integer,
  operator_id  uuid    DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome      text,
    result       jsonb,
    refund_paise integer,
    refund_key   text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_min_paise constant integer := 100;
  v_request constant jsonb := jsonb_build_object(
    'payment_id', ask_refund.payment_id, 'amount_paise', ask_refund.amount_paise
  );
  v_action_id bigint;
  v_payment public.payments;
  v_left bigint;
begin
  select r.outcome, r.result, r.action_id into outcome, result, v_action_id
  from private.repeated_action('refund-payment', ask_refund.reference_id, v_request) r;
  -- Of this payment alone, because several projects may share an account with Razorpay.
  refund_key := left(encode(sha256(convert_to(
    ask_refund.payment_id || ' ' || ask_refund.reference_id, 'UTF8'
  )), 'hex'), 40);
  if outcome is not null then
    outcome := case outcome when 'refunded' then 'replayed' else outcome end;
    select (a.after ->> 'amount_paise')::integer into refund_paise
    from public.operator_actions a where a.id = v_action_id;
    return next;
    return;
  end if;

  -- Refunds of one payment are asked for in turn, so that each sees what the others have asked for.
  select p.* into v_payment from public.payments p where p.id = ask_refund.payment_id
  for no key update;
  v_left := v_payment.amount_paise
    - coalesce((
      select sum(r.amount_paise) from public.payment_reversals r
      where r.payment_id = v_payment.id
        and case r.kind when 'refund' then r.status <> 'failed' else r.is_money_gone end
    ), 0)
    - coalesce((
      select sum((a.after ->> 'amount_paise')::bigint) from public.operator_actions a
      where a.payment_id = v_payment.id and a.outcome = 'asked'
        and not exists (select from public.operator_actions c where c.completes = a.id)
    ), 0);
  if v_payment.id is null then
    outcome := 'payment_not_found';
  elsif v_payment.status not in ('captured', 'refunded') then
    outcome := 'payment_not_captured';
  elsif coalesce(ask_refund.amount_paise, v_min_paise) > v_left then
    outcome := 'refund_exceeds_payment';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  outcome := 'asking';
  refund_paise := coalesce(ask_refund.amount_paise, v_left);
  perform private.record_action(
    'refund-payment', ask_refund.operator, ask_refund.reason, 'asked',
    reference_id => ask_refund.reference_id, request => v_request,
    user_id => (select o.user_id from public.payment_orders o where o.id = v_payment.order_id),
    order_id => v_payment.order_id, payment_id => v_payment.id,
    before => jsonb_build_object('left_paise', v_left),
    after => jsonb_build_object('amount_paise', refund_paise),
    operator_id => ask_refund.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.delete_unpaid_orders()
  RETURNS integer
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  with unpaid as (
    select x.id
    from public.payment_orders x
    where x.state <> 'paid'
      and x.tried_at < statement_timestamp() - make_interval(
        days => (select s.value from public.settings s where s.name = 'unpaid_order_retention_days')
      )
      and x.next_check_at is null
      -- Where money has moved, or may have, all of it is kept.
      and not exists (
        select from public.payments p
        where p.order_id = x.id
          and (
            p.status not in ('created', 'failed')
            or exists (select from public.payment_reversals r where r.payment_id = p.id)
            or exists (select from public.operator_actions a where a.payment_id = p.id)
          )
      )
      -- As in delete_abandoned_orders.
      and not exists (select from public.order_references r where r.order_id = x.id)
      and not exists (select from public.operator_actions a where a.order_id = x.id)
      -- One that could not be delivered stays until somebody has looked at it.
      and not exists (select from public.events e where e.order_id = x.id)
    order by x.tried_at
    limit 1000
    for update skip locked
  ),
  deleted_payments as (
    delete from public.payments p using unpaid u where p.order_id = u.id
  ),
  deleted as (
    delete from public.payment_orders o using unpaid u where o.id = u.id
    returning 1
  )
  select count(*)::integer from deleted;
$function$;

REVOKE ALL ON FUNCTION "public"."delete_unpaid_orders"() FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.disable_operator (
  email text
)
  RETURNS TABLE (
    outcome text
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
begin
  update public.operators o set disabled_at = coalesce(o.disabled_at, clock_timestamp())
  where o.email = lower(btrim(disable_operator.email));
  outcome := case when found then 'disabled' else 'operator_not_found' end;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."disable_operator"(text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.end_hold_by_hand (
  user_id           uuid,
  hold_reference_id text,
  operator          text,
  reason            text,
  reference_id      text,
  operator_id       uuid DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_request constant jsonb := jsonb_build_object(
    'user_id', end_hold_by_hand.user_id,
    'hold_reference_id', end_hold_by_hand.hold_reference_id
  );
  v_user public.users;
  v_before jsonb;
  v_hold public.holds;
begin
  select r.outcome, r.result into outcome, result
  from private.repeated_action('end-hold', end_hold_by_hand.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  v_user := private.lock_account(end_hold_by_hand.user_id);
  v_before := private.account_state(v_user);
  select h.* into v_hold from public.holds h
  where h.user_id = v_user.id and h.reference_id = end_hold_by_hand.hold_reference_id
    and h.state = 'open';
  if v_user.id is null then
    outcome := 'user_not_found';
  elsif v_hold.user_id is null then
    outcome := case
      when (private.find_charge(v_user.id, end_hold_by_hand.hold_reference_id)).user_id is null
      then 'hold_not_found'
      else 'hold_captured'
    end;
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  v_hold := private.end_hold(v_hold, 'released');
  select u.* into strict v_user from public.users u where u.id = v_user.id;
  outcome := 'done';
  result := jsonb_build_object('released_credits', v_hold.credits);
  perform private.record_action(
    'end-hold', end_hold_by_hand.operator, end_hold_by_hand.reason,
    reference_id => end_hold_by_hand.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => end_hold_by_hand.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.erase_user (
  user_id         uuid,
  operator        text,
  reason          text,
  identity_hashes jsonb DEFAULT '{}'::jsonb,
  operator_id     uuid  DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome        text,
    erased_user_id uuid,
    erased_at      timestamp with time zone,
    auth           text,
    identities     text[]
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '30s'
  AS $function$
#variable_conflict use_column
declare
  v_identity public.identities;
  v_user public.users;
  v_user_ids uuid[];
  v_order_ids uuid[];
  v_phone_numbers text[];
  v_whatsapp_user_ids text[];
begin
  if erase_user.reason !~ '\S' then
    raise exception 'an erasure has a reason' using errcode = 'invalid_parameter_value';
  end if;

  for v_attempt in 1..10 loop
    begin
      -- A person who has several accounts is erased whole, whichever of them is named.
      select u.* into v_user from public.users u
      where u.id = (
        select coalesce(named.merged_into, named.id) from public.users named
        where named.id = erase_user.user_id
      );
      if not found then
        outcome := 'user_not_found';
        return next;
        return;
      end if;
      erased_user_id := v_user.id;

      -- First contacts, orders and payments of these numbers wait, and then find nobody.
      identities := '{}';
      v_phone_numbers := '{}';
      v_whatsapp_user_ids := '{}';
      for v_identity in
        select i.* from public.identities i where i.user_id = v_user.id order by i.kind, i.value
      loop
        identities := identities || (v_identity.kind || ' ' || v_identity.value);
        if v_identity.kind = 'phone' then
          v_phone_numbers := v_phone_numbers || v_identity.value;
          perform private.lock_identities(v_identity.value);
        else
          v_whatsapp_user_ids := v_whatsapp_user_ids || v_identity.value;
          perform private.lock_identities(null, v_identity.value);
        end if;
      end loop;
      perform from public.users u
      where u.id = v_user.id or u.merged_into = v_user.id
      order by u.id
      for no key update;

      -- Whoever held the locks may have merged or erased the account, or tied another identity to it.
      select u.* into strict v_user from public.users u where u.id = v_user.id;
      v_user_ids := array(
        select u.id from public.users u where u.id = v_user.id or u.merged_into = v_user.id
      );
      if v_user.merged_into is not null
        or identities <> array(
          select i.kind || ' ' || i.value from public.identities i
          where i.user_id = v_user.id
          order by i.kind, i.value
        )
      then
        raise exception 'the account has changed meanwhile' using errcode = 'serialization_failure';
      end if;
      exit;
    exception
      -- Start over, with none of these locks.
      when serialization_failure or deadlock_detected then v_user_ids := null;
    end;
  end loop;
  if v_user_ids is null then
    raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
  end if;

  if v_user.erased_at is not null then
    outcome := 'replayed';
    erased_at := v_user.erased_at;
    select a.outcome into auth from public.operator_actions a
    where a.user_id = v_user.id and a.action = 'erase-user'
    order by a.id
    limit 1;
    return next;
    return;
  end if;

  v_order_ids := array(
    select o.id from public.payment_orders o where o.user_id = any (v_user_ids)
    union
    -- Where an order names two identities, the number decides whose it is.
    select o.id from public.payment_orders o
    where o.phone_number = any (v_phone_numbers) and o.user_id is null
      and private.find_user_id(o.phone_number, o.whatsapp_user_id) = v_user.id
    union
    select o.id from public.payment_orders o
    where o.whatsapp_user_id = any (v_whatsapp_user_ids) and o.user_id is null
      and private.find_user_id(o.phone_number, o.whatsapp_user_id) = v_user.id
  );
  perform from public.payment_orders o where o.id = any (v_order_ids) order by o.id for no key update;

  v_user := private.end_expired_holds(v_user);
  if v_user.open_holds > 0 or exists (
    select from public.payment_orders o
    join public.payments p on p.order_id = o.id
    where o.id = any (v_order_ids)
      and o.state <> 'paid'
      and p.status in ('created', 'authorized')
      -- Razorpay returns what was not captured long before it is no longer asked.
      and o.next_check_at is not null
  ) or exists (
    -- A refund that an operator has asked for, and of which nobody knows yet whether it was made.
    select from public.operator_actions a
    where a.order_id = any (v_order_ids)
      and a.outcome = 'asked'
      and not exists (select from public.operator_actions c where c.completes = a.id)
  ) then
    outcome := 'user_in_use';
    return next;
    return;
  end if;

  if (select s.value = 0 from public.settings s where s.name = 'welcome_after_erasure') then
    if not coalesce(erase_user.identity_hashes ?& identities, false) then
      outcome := 'hashes_needed';
      return next;
      return;
    end if;
    insert into public.erased_identities (hash)
    select distinct h.value from jsonb_each_text(erase_user.identity_hashes) h
    where h.key = any (identities)
    on conflict do nothing;
  end if;

  delete from public.identities i where i.user_id = any (v_user_ids);
  update public.users u set phone_number = null, erased_at = clock_timestamp()
  where u.id = any (v_user_ids);
  update public.payment_orders o
  set phone_number = null, whatsapp_user_id = null, placed_by = null, erased_at = clock_timestamp()
  where o.id = any (v_order_ids);
  -- Orders of somebody else that name this person too.
  update public.payment_orders o set whatsapp_user_id = null
  where o.whatsapp_user_id = any (v_whatsapp_user_ids) and o.phone_number is not null;
  -- Deliveries from before names and contacts were left out of them.
  update public.webhook_deliveries d set payload = '{}'
  where d.razorpay_order_id in (
      select o.razorpay_order_id from public.payment_orders o where o.id = any (v_order_ids)
    )
    or d.razorpay_payment_id in (
      select p.id from public.payments p where p.order_id = any (v_order_ids)
    );
  delete from public.events e
  where e.user_id = any (v_user_ids) or e.order_id = any (v_order_ids);
  -- What the check of the books found about the person. What is still wrong is found again.
  update public.book_violations v set subject = 'erased ' || gen_random_uuid(), detail = 'erased'
  where v.user_id = any (v_user_ids) or v.order_id = any (v_order_ids);
  perform private.replace_references(v_user_ids, v_order_ids);
  auth := private.delete_auth_users(v_phone_numbers);

  -- The record names nobody, so the reason, in which an operator may have named the person, is not kept.
  perform private.record_action(
    'erase-user', erase_user.operator, 'erased', auth, user_id => v_user.id,
    operator_id => erase_user.operator_id
  );

  delete from public.rate_counters c
  where c.subject = any (v_phone_numbers || v_whatsapp_user_ids);

  outcome := 'erased';
  identities := null;
  select u.erased_at into strict erased_at from public.users u where u.id = v_user.id;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.find_operator (
  user_id    uuid,
  session_id uuid DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome text,
    name    text,
    role    text
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
begin
  select 'found', o.name, o.role into outcome, name, role
  from public.operators o
  where o.user_id = find_operator.user_id and o.disabled_at is null;
  if outcome is null then
    outcome := 'not_an_operator';
  elsif private.has_session_ended(find_operator.user_id, find_operator.session_id) then
    outcome := 'session_ended';
    name := null;
    role := null;
  end if;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."find_operator"(uuid, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.find_order (
  razorpay_order_id text,
  phone_number      text    DEFAULT NULL::text,
  caller_address    text    DEFAULT NULL::text,
  is_proven         boolean DEFAULT false
)
  RETURNS TABLE (
    outcome               text,
    user_id               uuid,
    is_users_phone        boolean,
    package_id            text,
    key_mode              text,
    credits               integer,
    razorpay_payment_id   text,
    balance_after_payment integer,
    retry_after_seconds   integer
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_order public.payment_orders;
  v_exceeded_scope text;
begin
  select o.* into v_order from public.payment_orders o
  where o.razorpay_order_id = find_order.razorpay_order_id;

  if find_order.caller_address is not null then
    if find_order.is_proven then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'verify_payment', owner => find_order.phone_number, project => null
      ) c;
    else
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits(
        'verify_payment', find_order.caller_address,
        coalesce(v_order.phone_number, v_order.whatsapp_user_id)
      ) c;
    end if;
    if v_exceeded_scope is not null then
      outcome := 'rate_limited';
      return next;
      return;
    end if;
  end if;

  if v_order.id is null then
    outcome := 'order_not_found';
    return next;
    return;
  end if;

  select p.balance_after_grant into balance_after_payment from public.payments p
  where p.id = v_order.razorpay_payment_id;

  outcome := 'found';
  user_id := coalesce(
    v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
  );
  is_users_phone := case
    when user_id is null then v_order.phone_number is not distinct from find_order.phone_number
    else user_id is not distinct from private.find_user_id(find_order.phone_number, null)
  end;
  package_id := v_order.package_id;
  key_mode := v_order.key_mode;
  credits := v_order.credits;
  razorpay_payment_id := v_order.razorpay_payment_id;
  retry_after_seconds := 0;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."find_order"(text, text, text, boolean) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.finish_refund (
  reference_id text,
  refund       jsonb DEFAULT NULL::jsonb,
  refusal      text  DEFAULT NULL::text
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_asked public.operator_actions;
  v_payment public.payments;
  v_order public.payment_orders;
  v_user public.users;
  v_before jsonb;
begin
  if num_nonnulls(finish_refund.refund, finish_refund.refusal) <> 1 then
    raise exception 'Razorpay either made a refund or refused it'
      using errcode = 'invalid_parameter_value';
  end if;

  select a.* into v_asked from public.operator_actions a
  where a.reference_id = finish_refund.reference_id and a.outcome = 'asked';
  select r.outcome, r.result into outcome, result
  from private.repeated_action('refund-payment', finish_refund.reference_id, v_asked.request) r;
  if outcome is distinct from 'asked' then
    outcome := case outcome when 'refunded' then 'replayed' else outcome end;
    return next;
    return;
  end if;

  select p.* into strict v_payment from public.payments p where p.id = v_asked.payment_id;
  select o.* into strict v_order from public.payment_orders o where o.id = v_payment.order_id;
  v_user := private.lock_account(v_order.user_id);
  v_before := private.account_state(v_user);

  if finish_refund.refund is null then
    outcome := 'refused';
    result := jsonb_build_object('refusal', finish_refund.refusal);
  else
    outcome := 'refunded';
    result := jsonb_build_object(
      'refund_id', finish_refund.refund -> 'id',
      'status', finish_refund.refund -> 'status',
      'amount_paise', finish_refund.refund -> 'amount_paise'
    );
    perform public.settle_payment(
      v_order.razorpay_order_id, v_payment.id, v_payment.status, v_payment.amount_paise,
      v_payment.currency, jsonb_build_array(finish_refund.refund)
    );
  end if;

  select u.* into v_user from public.users u where u.id = v_user.id;
  perform private.record_action(
    'refund-payment', v_asked.operator, v_asked.reason, outcome,
    user_id => v_user.id, order_id => v_order.id, payment_id => v_payment.id,
    before => v_before, after => private.account_state(v_user), result => result,
    completes => v_asked.id, operator_id => v_asked.operator_id
  );
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.forgive_debt (
  user_id      uuid,
  operator     text,
  reason       text,
  reference_id text,
  credits      integer DEFAULT NULL::integer,
  operator_id  uuid    DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_request constant jsonb :=
    jsonb_build_object('user_id', forgive_debt.user_id, 'credits', forgive_debt.credits);
  v_user public.users;
  v_before jsonb;
  v_debt private.debts;
  v_left integer := forgive_debt.credits;
  v_forgiven integer;
begin
  if forgive_debt.credits < 1 then
    raise exception 'at least one credit is forgiven' using errcode = 'invalid_parameter_value';
  end if;

  select r.outcome, r.result into outcome, result
  from private.repeated_action('forgive-debt', forgive_debt.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  v_user := private.lock_account(forgive_debt.user_id);
  if v_user.id is null then
    outcome := 'user_not_found';
    return next;
    return;
  end if;
  v_before := private.account_state(v_user);

  for v_debt in
    select d.* from private.debts d
    where d.user_id = v_user.id
    order by d.created_at, d.reference_id
  loop
    v_forgiven := least(v_left, v_debt.credits_owed);
    exit when v_forgiven = 0;
    perform private.reduce_debt(v_debt, v_forgiven, is_forgiven => true);
    v_left := v_left - v_forgiven;
  end loop;

  select u.* into strict v_user from public.users u where u.id = v_user.id;
  outcome := 'done';
  result := jsonb_build_object(
    'user_id', v_user.id,
    'debt_credits', v_user.debt_credits,
    'changed', v_before -> 'debt_credits' <> to_jsonb(v_user.debt_credits)
  );
  perform private.record_action(
    'forgive-debt', forgive_debt.operator, forgive_debt.reason,
    reference_id => forgive_debt.reference_id, request => v_request, user_id => v_user.id,
    before => v_before, after => private.account_state(v_user), result => result,
    operator_id => forgive_debt.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.freeze_user (
  user_id      uuid,
  operator     text,
  reason       text,
  reference_id text,
  operator_id  uuid DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
begin
  return query select f.outcome, f.result
  from private.set_frozen(
    freeze_user.user_id, true, freeze_user.operator, freeze_user.reason,
    freeze_user.reference_id, freeze_user.operator_id
  ) f;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

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

CREATE OR REPLACE FUNCTION public.get_user (
  phone_number        text    DEFAULT NULL::text,
  whatsapp_user_id    text    DEFAULT NULL::text,
  caller_address      text    DEFAULT NULL::text,
  identity_hashes     text[]  DEFAULT NULL::text[],
  link_user_id        uuid    DEFAULT NULL::uuid,
  with_pending_orders boolean DEFAULT false
)
  RETURNS TABLE (
    outcome             text,
    user_id             uuid,
    credits             integer,
    created_at          timestamp with time zone,
    retry_after_seconds integer,
    remaining_credits   integer,
    reserved_credits    integer,
    low_balance         boolean,
    is_frozen           boolean,
    pending_orders      jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_exceeded_scope text;
  v_user public.users;
begin
  if exists (
    select from public.users u where u.id = get_user.link_user_id and u.erased_at is not null
  ) then
    outcome := 'link_is_void';
    return next;
    return;
  end if;

  -- Anyone who can reach a page could otherwise farm free credits with made-up numbers.
  if get_user.caller_address is not null
    and private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null
  then
    -- Another first contact may be under way. Wait for it before counting anything.
    perform private.lock_identities(get_user.phone_number, get_user.whatsapp_user_id);
    if private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null
      -- Otherwise the call is repeated, and counted then.
      and private.is_welcome(get_user.identity_hashes) is not null
    then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits('create_user', get_user.caller_address) c;
      if v_exceeded_scope is not null then
        outcome := 'rate_limited';
        return next;
        return;
      end if;
    end if;
  end if;

  v_user := private.ensure_user(
    get_user.phone_number, get_user.whatsapp_user_id, get_user.identity_hashes
  );
  if v_user.id is null then
    outcome := 'identity_hashes_needed';
    return next;
    return;
  end if;
  return query select 'found', v_user.id, v_user.credits, v_user.created_at, 0,
    private.remaining_credits(v_user), private.reserved_credits(v_user),
    v_user.credits <= private.low_balance_credits(),
    v_user.frozen_at is not null,
    case when get_user.with_pending_orders then private.pending_orders(v_user.id) end;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) FROM PUBLIC, "anon", "authenticated";

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

CREATE OR REPLACE FUNCTION public.list_credit_transactions (
  user_id                uuid,
  page_size              integer,
  before_sequence_number integer DEFAULT NULL::integer,
  proven_phone_number    text    DEFAULT NULL::text,
  is_public_reader       boolean DEFAULT false
)
  RETURNS TABLE (
    outcome           text,
    total             integer,
    debt_credits      integer,
    next_cursor       integer,
    transactions      jsonb,
    credits           integer,
    remaining_credits integer,
    reserved_credits  integer,
    is_frozen         boolean,
    pending_orders    jsonb
  )
  LANGUAGE plpgsql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
declare
  v_user public.users;
  v_is_proven boolean := not list_credit_transactions.is_public_reader;
begin
  -- A caller who has proven a number may read the history of that number only. Anyone else gets the
  -- same result for a user who exists and for one who does not.
  if list_credit_transactions.proven_phone_number is not null then
    v_is_proven := list_credit_transactions.user_id
      is not distinct from private.find_user_id(list_credit_transactions.proven_phone_number, null);
  end if;
  total := 0;
  debt_credits := 0;
  transactions := '[]';
  if not v_is_proven and not list_credit_transactions.is_public_reader then
    outcome := 'not_the_owner';
    return next;
    return;
  end if;

  select u.* into v_user from public.users u
  where u.id = list_credit_transactions.user_id and u.erased_at is null;
  if not found then
    outcome := 'user_not_found';
    return next;
    return;
  end if;

  return query
  with page as (
    select t.* from public.credit_transactions t
    where t.user_id = list_credit_transactions.user_id
      and t.sequence_number < coalesce(
        list_credit_transactions.before_sequence_number, v_user.transaction_count + 1
      )
    order by t.sequence_number desc
    limit list_credit_transactions.page_size
  )
  select
    'listed',
    v_user.transaction_count,
    v_user.debt_credits,
    -- Numbers have no gaps, so the next page starts right below the oldest entry of this one.
    case when min(p.sequence_number) > 1 then min(p.sequence_number) end,
    coalesce(
      jsonb_agg(
        jsonb_build_object(
          'id', p.id,
          'user_id', p.user_id,
          'action', p.action,
          'credits', p.credits,
          'source', p.source,
          'reference_id', p.reference_id,
          'created_at', p.created_at,
          'balance_after', p.balance_after,
          'quantity', p.quantity
        )
        order by p.sequence_number desc
      ),
      '[]'::jsonb
    ),
    v_user.credits,
    private.remaining_credits(v_user),
    private.reserved_credits(v_user),
    v_user.frozen_at is not null,
    -- An order tells of a purchase, which is nobody else's business.
    case when v_is_proven then private.pending_orders(v_user.id) end
  from page p;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) FROM PUBLIC, "anon", "authenticated";

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

CREATE OR REPLACE FUNCTION public.list_operators()
  RETURNS TABLE (
    user_id     uuid,
    email       text,
    name        text,
    role        text,
    disabled_at timestamp with time zone,
    created_at  timestamp with time zone
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  select o.user_id, o.email, o.name, o.role, o.disabled_at, o.created_at
  from public.operators o
  order by o.created_at;
$function$;

REVOKE ALL ON FUNCTION "public"."list_operators"() FROM PUBLIC, "anon", "authenticated";

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

CREATE OR REPLACE FUNCTION public.merge_users_by_hand (
  from_user_id uuid,
  into_user_id uuid,
  operator     text,
  reason       text,
  reference_id text,
  operator_id  uuid DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_request constant jsonb := jsonb_build_object(
    'from_user_id', merge_users_by_hand.from_user_id,
    'into_user_id', merge_users_by_hand.into_user_id
  );
  v_before jsonb;
  v_outcome text;
begin
  select r.outcome, r.result into outcome, result
  from private.repeated_action('merge-users', merge_users_by_hand.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  -- The locks of merge_users, in its order, so that the state before is the one that it finds. If they
  -- deadlock with a deduction, reservation or capture, the call is rolled back as a whole and made again.
  perform from public.users u
  where u.id in (merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id)
    or u.merged_into = merge_users_by_hand.from_user_id
  order by u.id
  for no key update;
  v_before := private.states_of_two(
    merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id
  );

  v_outcome := public.merge_users(
    merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id
  );
  if v_outcome not in ('merged', 'replayed') then
    outcome := v_outcome;
    return next;
    return;
  end if;

  outcome := 'done';
  result := jsonb_build_object('outcome', v_outcome);
  perform private.record_action(
    'merge-users', merge_users_by_hand.operator, merge_users_by_hand.reason,
    reference_id => merge_users_by_hand.reference_id, request => v_request,
    user_id => merge_users_by_hand.into_user_id, before => v_before,
    after => private.states_of_two(
      merge_users_by_hand.from_user_id, merge_users_by_hand.into_user_id
    ),
    result => result, operator_id => merge_users_by_hand.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.record_operator_action (
  order_id    uuid,
  operator    text,
  reason      text,
  outcome     text,
  operator_id uuid DEFAULT NULL::uuid
)
  RETURNS void
  LANGUAGE sql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
  insert into public.operator_actions (order_id, operator, reason, outcome, operator_id)
  values ($1, $2, $3, $4, $5);
$function$;

REVOKE ALL ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.refresh_samples()
  RETURNS void
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
begin
  analyze public.users (phone_number);
  analyze public.identities (value);
  analyze public.payment_orders (phone_number, whatsapp_user_id, placed_by);
  analyze public.credit_transactions (reference_id);
  analyze public.holds (reference_id);
  analyze public.order_references (reference_id);
  analyze public.operator_actions;
  analyze public.book_violations;
  analyze public.adjustments (reference_id);
  analyze public.rate_counters (subject);
  -- Skipped with a warning where another role owns it.
  if to_regclass('auth.users') is not null then
    execute 'analyze auth.users';
    execute 'analyze auth.identities';
    execute 'analyze auth.audit_log_entries';
  end if;
  if to_regclass('auth.one_time_tokens') is not null then
    execute 'analyze auth.one_time_tokens';
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION public.resend_events (
  operator       text,
  reason         text,
  reference_id   text,
  event_id       uuid                     DEFAULT NULL::uuid,
  created_from   timestamp with time zone DEFAULT NULL::timestamp WITH time zone,
  created_before timestamp with time zone DEFAULT NULL::timestamp WITH time zone,
  operator_id    uuid                     DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_max_events constant integer := 10000;
  v_request constant jsonb := jsonb_strip_nulls(jsonb_build_object(
    'event_id', resend_events.event_id,
    'from', resend_events.created_from,
    'to', resend_events.created_before
  ));
  v_event_ids uuid[];
  v_addresses integer;
begin
  if num_nonnulls(resend_events.event_id, resend_events.created_from) <> 1
    or (resend_events.created_from is null) <> (resend_events.created_before is null)
  then
    raise exception 'either one event or a period is sent again'
      using errcode = 'invalid_parameter_value';
  end if;

  select r.outcome, r.result into outcome, result
  from private.repeated_action('resend-events', resend_events.reference_id, v_request) r;
  if outcome is not null then
    return next;
    return;
  end if;

  select array_agg(e.id) into v_event_ids
  from (
    select e.id from public.events e
    where e.id = resend_events.event_id
      or e.created_at >= resend_events.created_from and e.created_at < resend_events.created_before
    limit v_max_events + 1
  ) e;
  if resend_events.event_id is not null and v_event_ids is null then
    outcome := 'event_not_found';
  elsif cardinality(v_event_ids) > v_max_events then
    outcome := 'too_many_events';
  end if;
  if outcome is not null then
    return next;
    return;
  end if;

  -- Whatever kept the addresses from being sent to is said to be over. What waited for one that was
  -- paused has three days from now.
  with resumed as (
    update public.event_addresses a
    set paused_at = null, failures = 0, failing_since = null, next_probe_at = null, not_before = null
    from (select p.id, p.paused_at from public.event_addresses p for no key update) former
    where a.id = former.id and a.removed_at is null
    returning a.id, former.paused_at
  ),
  waiting as (
    update public.event_deliveries d
    set give_up_at = clock_timestamp() + interval '3 days', next_attempt_at = clock_timestamp()
    from resumed r
    where d.address_id = r.id and r.paused_at is not null
      and d.state = 'pending' and d.lease_token is null
      and d.event_id <> all (coalesce(v_event_ids, '{}'))
  )
  select count(*) into v_addresses from resumed;

  if v_addresses > 0 then
    update public.events e
    set state = 'handed_out', handed_out_at = coalesce(e.handed_out_at, clock_timestamp())
    where e.id = any (v_event_ids) and e.state <> 'handed_out';
    insert into public.event_deliveries as d (event_id, address_id)
    select e.id, a.id
    from public.events e
    cross join public.event_addresses a
    where e.id = any (v_event_ids) and a.removed_at is null
    on conflict (event_id, address_id) do update
    set state = 'pending', attempts = 0, next_attempt_at = excluded.next_attempt_at,
        give_up_at = excluded.give_up_at, lease_token = null, finished_at = null
    -- One that is on its way right now arrives anyway.
    where d.lease_token is null or d.next_attempt_at <= clock_timestamp();
  end if;

  outcome := 'done';
  result := jsonb_build_object(
    'resent', case when v_addresses > 0 then coalesce(cardinality(v_event_ids), 0) else 0 end
  );
  perform private.record_action(
    'resend-events', resend_events.operator, resend_events.reason,
    reference_id => resend_events.reference_id, request => v_request,
    user_id => (select e.user_id from public.events e where e.id = resend_events.event_id),
    result => result, operator_id => resend_events.operator_id
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone, uuid) FROM PUBLIC, "anon", "authenticated";

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

CREATE OR REPLACE FUNCTION public.unfreeze_user (
  user_id      uuid,
  operator     text,
  reason       text,
  reference_id text,
  operator_id  uuid DEFAULT NULL::uuid
)
  RETURNS TABLE (
    outcome text,
    result  jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
begin
  return query select f.outcome, f.result
  from private.set_frozen(
    unfreeze_user.user_id, false, unfreeze_user.operator, unfreeze_user.reason,
    unfreeze_user.reference_id, unfreeze_user.operator_id
  ) f;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) FROM PUBLIC, "anon", "authenticated";

ALTER TABLE "public"."operator_actions"
  ADD CONSTRAINT "operator_actions_operator_id_fkey" FOREIGN KEY (operator_id) REFERENCES public.operators(user_id);

ALTER TABLE "public"."settings"
  ADD CONSTRAINT "name_is_known"
    CHECK
    ((name = ANY (ARRAY['low_balance_credits'::text, 'max_open_holds'::text, 'welcome_after_erasure'::text, 'webhook_retention_days'::text, 'hold_retention_days'::text,
    'event_retention_days'::text, 'unpaid_order_retention_days'::text])));

CREATE INDEX book_checks_of_the_whole ON public.book_checks USING btree (id)
  WHERE is_whole;

CREATE INDEX operator_actions_by_operator ON public.operator_actions USING btree (operator, id);

CREATE INDEX operator_actions_of_an_operator ON public.operator_actions USING btree (operator_id)
  WHERE (operator_id IS NOT NULL);

COMMENT ON COLUMN "public"."operator_actions"."operator_id" IS 'Who was signed in, and operator is then the name in that row. Null for a call with the secret key, where operator is what the call said.';

COMMENT ON COLUMN "public"."operators"."disabled_at" IS 'Since when the operator may do nothing. Null if they may.';

COMMENT ON COLUMN "public"."operators"."email" IS 'The address when the operator was added, to tell people apart. Nobody is recognized by it.';

COMMENT ON COLUMN "public"."operators"."user_id" IS 'The user of Supabase Auth. No foreign key: a database without Auth has no such table.';

COMMENT ON COLUMN "public"."settings"."value" IS 'low_balance_credits: the balance at which a user is running out. max_open_holds: how many holds of one user may be open at the same time. welcome_after_erasure: whether somebody who was erased and comes back gets the free credits again, 0 for no. webhook_retention_days, hold_retention_days, event_retention_days, unpaid_order_retention_days: after how many days deliveries of Razorpay''s webhook, holds that ended without a charge, events, and orders that somebody tried to pay in vain are deleted.';

COMMENT ON FUNCTION "private"."action_details"(public.operator_actions) IS 'Part of find_customers, get_customer and list_actions_taken.';

COMMENT ON FUNCTION "private"."actions_on_customer"(uuid) IS 'Those on the account, on the accounts that were merged into it, and on its orders.';

COMMENT ON FUNCTION "private"."balance_points"(public.users) IS 'Part of get_customer. Oldest first, at most 200: every entry of a short history; of a longer one, 100 evenly spaced entries with the newest, and the newest 50 welcomes, payments and merges, each with the entry before it.';

COMMENT ON FUNCTION "private"."check_run"(public.book_checks) IS 'Part of list_violations. since and before: what was written then was checked; null if everything was.';

COMMENT ON FUNCTION "private"."customer_profile"(public.users) IS 'Part of find_customers and get_customer. At most 20 identities and merged accounts.';

COMMENT ON FUNCTION "private"."event_details"(public.events) IS 'Part of get_customer. last_failure: the status that was answered, or why there was no answer; null where the last attempt succeeded or there was none.';

COMMENT ON FUNCTION "private"."has_session_ended"(uuid, uuid) IS 'False where that cannot be known: the token names no session, or the table is not there or not ours to read.';

COMMENT ON FUNCTION "private"."newest_orders"(uuid) IS 'Part of find_customers and get_customer. At most 20, newest first.';

COMMENT ON FUNCTION "private"."order_life"(uuid) IS 'Part of get_customer. The newest 20 payments, and the first 20 references.';

COMMENT ON FUNCTION "private"."order_summary"(public.payment_orders) IS 'Part of order_details and order_life.';

COMMENT ON FUNCTION "private"."orders_of_customer"(uuid) IS 'Those that the account has paid, and those that wait for a payment and are for one of its identities.';

COMMENT ON FUNCTION "private"."page_of_entries"(uuid, integer, integer) IS '{entries, next_cursor}, where next_cursor is null on the last page. price: by which the entry came about. payment: what was bought or returned. merged_user_id: the other account of a merge.';

COMMENT ON FUNCTION "private"."payment_life"(public.payments) IS 'Part of get_customer. The newest 20 refunds and disputes, and the newest 50 entries.';

COMMENT ON FUNCTION "private"."payment_summary"(public.payments) IS 'Part of order_details and payment_life.';

COMMENT ON FUNCTION "private"."pending_orders"(uuid) IS 'At most 10, the newest first: razorpay_order_id, package_id, package_name, credits, amount_paise, created_at.';

COMMENT ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint, uuid) IS 'In the transaction of the action itself, after private.repeated_action has found nothing.';

COMMENT ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text, uuid) IS 'See freeze_user and unfreeze_user.';

COMMENT ON FUNCTION "private"."shown_address"(text) IS 'Without its query, which may hold a secret.';

COMMENT ON FUNCTION "public"."add_operator"(text, text, text) IS 'One row. outcome: added; changed (an operator before, who is enabled again if disabled); user_not_found (Auth has no user with this address); email_not_confirmed (whoever made that user may not be who has the address). Only added and changed change anything, and have user_id.';

COMMENT ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) IS 'One row. credits is a difference. A positive one pays debts first. outcome: done and replayed, with result {user_id, credits, debt_credits}; reference_reused; user_not_found; not_enough_credits (a negative one exceeds what is not reserved, and allow_debt is false); too_many_credits (the balance or the debt would exceed a billion). Only done changes anything.';

COMMENT ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) IS 'One row. amount_paise: all that is left if left out. outcome: asking (recorded: ask Razorpay now for refund_paise, with refund_key as its idempotency key and receipt, and report to finish_refund); asked (recorded before, and what came of it is not known: look for it at Razorpay, and ask again); replayed and refused (what came of it before, with the result of finish_refund); reference_reused; payment_not_found; payment_not_captured; refund_exceeds_payment (more than is left after what was refunded, lost in disputes and asked for). Only asking changes anything.';

COMMENT ON FUNCTION "public"."delete_unpaid_orders"() IS 'Housekeeping, see the setting unpaid_order_retention_days. Returns how many it deleted, with what Razorpay has reported of the attempts: at most 1,000.';

COMMENT ON FUNCTION "public"."disable_operator"(text) IS 'One row. email: as list_operators has it. outcome: disabled, now or before; operator_not_found.';

COMMENT ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) IS 'One row. outcome: done and replayed, with result {released_credits}; reference_reused; user_not_found; hold_captured (charged, by a capture or by a deduction); hold_not_found (none is open under hold_reference_id: it may have been released or have expired). Only done changes anything.';

COMMENT ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) IS 'One row. outcome: erased; replayed (erased before); user_not_found; user_in_use (a hold is open, or a payment was tried and neither failed nor succeeded, or a refund was asked for and is not known to have been made); hashes_needed (nothing was changed: call again with identity_hashes, an object with the keyed hash of each of identities). auth: see private.delete_auth_users. An account that was merged stands for the one that it was merged into.';

COMMENT ON FUNCTION "public"."find_operator"(uuid, uuid) IS 'One row. user_id and session_id: of a session''s token whose signature was checked. outcome: found, with name and role; not_an_operator (there is no such operator, or a disabled one); session_ended (signed out since the token was made).';

COMMENT ON FUNCTION "public"."find_order"(text, text, text, boolean) IS 'One row. outcome: found (user_id is null while nobody has the number that the order is for; is_users_phone says whether phone_number is one of the user''s, or the order''s, and nothing where none is given; the payment and the balance after it are null until the order is paid); order_not_found; rate_limited (too many verifications from caller_address, for this order''s number or in total; with is_proven, by the owner of phone_number).';

COMMENT ON FUNCTION "public"."finish_refund"(text, jsonb, text) IS 'One row. refund: as a reversal of settle_payment, which books it. refusal: why Razorpay made none. outcome: refunded, with result {refund_id, status, amount_paise}; replayed, with that of an earlier call for the same reference; or refused, by this call or an earlier one, with result {refusal}.';

COMMENT ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) IS 'One row. credits: the most that is forgiven, oldest debt first; all of it if left out. No entry in the ledger: a debt is not part of the balance. outcome: done and replayed, with result {user_id, debt_credits, changed}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) IS 'One row. Also done where the account was frozen before. outcome: done and replayed, with result {user_id, frozen, changed}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON FUNCTION "public"."get_customer"(uuid) IS 'One row. user_id: if the account was merged into another one, that one is meant. outcome: found (erased or not); user_not_found. The newest of everything that grows: 50 entries, with next_cursor for list_entries, 20 orders, 20 events, 20 actions. The 100 open holds that expire first, including those that have expired and that nothing has ended yet.';

COMMENT ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) IS 'The user of a phone number (E.164) or a WhatsApp user id, created on first contact. One row. link_user_id: the user that the caller''s link was made for. pending_orders: see private.pending_orders; null unless asked for. outcome: found; link_is_void (that user was erased); rate_limited (too many unknown numbers from caller_address or in total; nothing was created); identity_hashes_needed (see private.is_welcome; nothing was created or counted).';

COMMENT ON FUNCTION "public"."list_actions_taken"(integer, uuid, text, bigint) IS 'One row. user_id: what was done to this customer, on an account that was merged or on an order too; if the account was merged into another one, that one is meant. operator: by this name. outcome: listed; user_not_found. next_cursor is the next before_action_id, null on the last page.';

COMMENT ON FUNCTION "public"."list_attention"() IS 'remedy: the Edge Function that helps, null if none does by itself. user_id, order_id, payment_id, reference_id (of a refund): what it is about. amount_paise: of the refund or the order; of an unfinished refund, null if all that was left was asked for. events_from: since when events have to be sent again. kind: flagged payment (refund it in Razorpay''s dashboard); debt; unfinished refund (call refund-payment again with the same reference); open order (older than 15 minutes, still watched, and somebody tried to pay it); failed delivery; payment of no order (captured money that belongs to no order of ours: until it is booked or refunded, for 30 days); undelivered events (per address: paused by 410, failing for 15 minutes, or given up; or not handed out for 15 minutes); limit reached (a limit for everybody together, until its window ends); broken invariant (found by run_book_check, until it is found no more); books unchecked (run_book_check fails or is no longer called); expired holds (expire_holds fails for somebody or is no longer called, for 15 minutes).';

COMMENT ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) IS 'One row. outcome: listed; user_not_found (or erased); not_the_owner (if proven_phone_number is given and belongs to another user). total counts all entries of the user; next_cursor is null on the last page. is_public_reader: the caller may read every account, and sees pending_orders only where proven_phone_number is the user''s; they are null otherwise.';

COMMENT ON FUNCTION "public"."list_entries"(uuid, integer, integer) IS 'One row. outcome: listed; user_not_found. Newest first. total counts all entries of the account; next_cursor is null on the last page. Of an account that was merged into another one, its own history until then.';

COMMENT ON FUNCTION "public"."list_operators"() IS 'In the order in which they were added.';

COMMENT ON FUNCTION "public"."list_violations"() IS 'One row. At most 1,000 violations, oldest first. checked_at: of the newest run; null if there was none. runs: the newest 50, newest first. whole_run: the newest that checked everything.';

COMMENT ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) IS 'One row. outcome: done and replayed, with result {outcome}, which is merged or replayed as in merge_users; reference_reused; same_user, user_not_found and merged_before as in merge_users. Only done changes anything.';

COMMENT ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) IS 'Append-only: a recorded action cannot be changed or removed.';

COMMENT ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp with time zone, timestamp with time zone, uuid) IS 'One row. Either event_id, or the events from created_from until before created_before, whatever became of them; receivers know them by their id. Addresses that were paused or down are sent to again. outcome: done and replayed, with result {resent}, the number of events (0 if there is no address); reference_reused; event_not_found; too_many_events (more than 10,000). Only done changes anything.';

COMMENT ON FUNCTION "public"."sales_report"(date, date) IS 'One row. From first_day until before end_day, days of India, at most 400. days: one for each, with the money of live and of test keys apart: payments that granted credits, on the day of the grant; refunded_paise and lost_paise (disputes) of such payments, on the day when Razorpay reported it. charges and credits_spent: whatever a bot charged for. actions: the 50 that most credits were spent on, with credits_per_day in the order of days; quantity counts only charges that named one.';

COMMENT ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) IS 'One row. Also done where the account was not frozen. outcome: done and replayed, with result {user_id, frozen, changed}; reference_reused; user_not_found. Only done changes anything.';

COMMENT ON TABLE "public"."operators" IS 'Who may call the operators'' functions with a session. Asked at every call, so that what changes here is in force at once. Rows stay, because what somebody did stays.';

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

REVOKE ALL ON FUNCTION "private"."has_session_ended"(uuid, uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."has_session_ended"(uuid, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."has_session_ended"(uuid, uuid) TO "postgres";

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

REVOKE ALL ON FUNCTION "private"."pending_orders"(uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."pending_orders"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."pending_orders"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint, uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."record_action"(text, text, text, text, text, jsonb, uuid, uuid, text, jsonb, jsonb, jsonb, bigint, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text, uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."set_frozen"(uuid, boolean, text, text, text, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."shown_address"(text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."shown_address"(text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."shown_address"(text) TO "postgres";

REVOKE ALL ON FUNCTION "public"."add_operator"(text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."add_operator"(text, text, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."add_operator"(text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."adjust_credits"(uuid, integer, text, text, text, boolean, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."ask_refund"(text, text, text, text, integer, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_unpaid_orders"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_unpaid_orders"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."delete_unpaid_orders"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."disable_operator"(text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."disable_operator"(text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."disable_operator"(text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."end_hold_by_hand"(uuid, text, text, text, text, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."erase_user"(uuid, text, text, jsonb, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."find_operator"(uuid, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_operator"(uuid, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_operator"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."find_order"(text, text, text, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."find_order"(text, text, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."forgive_debt"(uuid, text, text, text, integer, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."freeze_user"(uuid, text, text, text, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."get_customer"(uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_customer"(uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_customer"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text, text[], uuid, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_actions_taken"(integer, uuid, text, bigint) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_actions_taken"(integer, uuid, text, bigint) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_actions_taken"(integer, uuid, text, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_attention"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_attention"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_attention"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_credit_transactions"(uuid, integer, integer, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_entries"(uuid, integer, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_entries"(uuid, integer, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_entries"(uuid, integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_operators"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_operators"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_operators"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_violations"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_violations"() TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."list_violations"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."merge_users_by_hand"(uuid, uuid, text, text, text, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."record_operator_action"(uuid, text, text, text, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."sales_report"(date, date) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."sales_report"(date, date) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."sales_report"(date, date) TO "service_role";

REVOKE ALL ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."unfreeze_user"(uuid, text, text, text, uuid) TO "service_role";

insert into public.settings (name, value) values ('unpaid_order_retention_days', 180) on conflict do nothing;
