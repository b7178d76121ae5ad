-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

ALTER TABLE "public"."settings"
  DROP CONSTRAINT "name_is_known";

DROP FUNCTION "public"."capture_credits"(text, text, text, integer, integer);

DROP FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer);

DROP FUNCTION "public"."get_user"(text, text, text);

CREATE TABLE "public"."event_addresses" (
  "id"            integer                  GENERATED ALWAYS AS IDENTITY NOT NULL,
  "url"           text                     NOT NULL,
  "created_at"    timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  "named_at"      timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  "removed_at"    timestamp with time zone,
  "paused_at"     timestamp with time zone,
  "failures"      integer                  NOT NULL DEFAULT 0,
  "failing_since" timestamp with time zone,
  "next_probe_at" timestamp with time zone,
  "not_before"    timestamp with time zone,
  "last_failure"  text,
  CONSTRAINT "a_failing_address_is_probed_again" CHECK (((next_probe_at IS NULL) = (failures = 0))),
  CONSTRAINT "a_failing_address_says_since_when" CHECK (((failing_since IS NULL) = (failures = 0))),
  CONSTRAINT "event_addresses_pkey" PRIMARY KEY (id),
  CONSTRAINT "event_addresses_url_key" UNIQUE (url),
  CONSTRAINT "failures_are_never_negative" CHECK ((failures >= 0))
);

ALTER TABLE "public"."event_addresses"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."event_addresses" FROM "anon", "authenticated", "service_role";

CREATE TABLE "public"."event_deliveries" (
  "event_id"        uuid                     NOT NULL,
  "address_id"      integer                  NOT NULL,
  "state"           text                     NOT NULL DEFAULT 'pending'::text,
  "attempts"        integer                  NOT NULL DEFAULT 0,
  "next_attempt_at" timestamp with time zone DEFAULT clock_timestamp(),
  "give_up_at"      timestamp with time zone NOT NULL DEFAULT (clock_timestamp() + '3 days'::interval),
  "lease_token"     uuid,
  "last_attempt_at" timestamp with time zone,
  "last_status"     integer,
  "last_error"      text,
  "created_at"      timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  "finished_at"     timestamp with time zone,
  CONSTRAINT "a_finished_delivery_says_when" CHECK (((finished_at IS NULL) = (state = 'pending'::text))),
  CONSTRAINT "attempts_are_never_negative" CHECK ((attempts >= 0)),
  CONSTRAINT "event_deliveries_pkey" PRIMARY KEY (event_id, address_id),
  CONSTRAINT "only_a_pending_delivery_is_attempted_again" CHECK (((next_attempt_at IS NULL) = (state <> 'pending'::text))),
  CONSTRAINT "only_a_pending_delivery_is_leased" CHECK (((lease_token IS NULL) OR (state = 'pending'::text))),
  CONSTRAINT "state_is_known" CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'dead'::text, 'ended'::text])))
);

ALTER TABLE "public"."event_deliveries"
  ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."event_deliveries"
  SET (fillfactor=50);

REVOKE ALL ON TABLE "public"."event_deliveries" FROM "anon", "authenticated", "service_role";

CREATE TABLE "public"."events" (
  "id"                uuid                     NOT NULL DEFAULT gen_random_uuid(),
  "user_id"           uuid,
  "order_id"          uuid,
  "type"              text                     NOT NULL,
  "data"              jsonb                    NOT NULL,
  "credits"           integer,
  "remaining_credits" integer,
  "sequence_number"   integer,
  "state"             text                     NOT NULL DEFAULT 'new'::text,
  "created_at"        timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  "handed_out_at"     timestamp with time zone,
  CONSTRAINT "an_event_is_about_somebody" CHECK ((num_nonnulls(user_id, order_id) > 0)),
  CONSTRAINT "an_event_says_when_it_was_handed_out" CHECK (((handed_out_at IS NULL) = (state = 'new'::text))),
  CONSTRAINT "data_is_an_object" CHECK ((jsonb_typeof(data) = 'object'::text)),
  CONSTRAINT "events_pkey" PRIMARY KEY (id),
  CONSTRAINT "figures_are_those_of_the_user" CHECK ((num_nonnulls(credits, remaining_credits, sequence_number) =
CASE
    WHEN (user_id IS NULL) THEN 0
    ELSE 3
END)),
  CONSTRAINT "state_is_known" CHECK ((state = ANY (ARRAY['new'::text, 'handed_out'::text, 'not_sent'::text]))),
  CONSTRAINT "type_is_known"
    CHECK
    ((type = ANY (ARRAY['credits.granted'::text, 'credits.low'::text, 'credits.exhausted'::text, 'credits.taken_back'::text, 'credits.restored'::text, 'payment.failed'::text,
    'hold.expired'::text, 'user.frozen'::text, 'user.unfrozen'::text])))
);

ALTER TABLE "public"."events"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."events" FROM "anon", "authenticated", "service_role";

ALTER TABLE "public"."holds"
  ADD COLUMN "balance_after_end" integer;

REVOKE ALL ON SEQUENCE "public"."event_addresses_id_seq" FROM "anon";

REVOKE ALL ON SEQUENCE "public"."event_addresses_id_seq" FROM "authenticated";

REVOKE ALL ON SEQUENCE "public"."event_addresses_id_seq" FROM "service_role";

CREATE OR REPLACE FUNCTION private.end_hold (
  hold              public.holds,
  state             text,
  captured_credits  integer      DEFAULT NULL::integer,
  captured_quantity integer      DEFAULT NULL::integer
)
  RETURNS public.holds
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_hold public.holds;
  v_balance_before integer;
begin
  update public.holds h
  set state = end_hold.state,
      captured_credits = end_hold.captured_credits,
      ended_at = clock_timestamp()
  where h.user_id = (hold).user_id and h.reference_id = (hold).reference_id and h.state = (hold).state
  returning * into strict v_hold;

  select u.credits into strict v_balance_before from public.users u where u.id = v_hold.user_id;

  -- One that has expired has returned its credits already.
  if (hold).state = 'open' then
    update public.users u
    set held_credits = u.held_credits - v_hold.credits,
        open_holds = u.open_holds - 1,
        next_hold_expiry_at = (
          select min(h.expires_at) from public.holds h where h.user_id = u.id and h.state = 'open'
        )
    where u.id = v_hold.user_id;
  end if;

  if v_hold.captured_credits > 0 then
    perform private.post_entry(
      v_hold.user_id, 'debit', v_hold.captured_credits, v_hold.action_id, v_hold.reference_id,
      end_hold.captured_quantity, v_hold.price_id
    );
  end if;
  perform private.collect_debts(v_hold.user_id);

  update public.holds h
  set remaining_after_end = private.remaining_credits(u),
      balance_after_end = u.credits
  from public.users u
  where u.id = v_hold.user_id
    and h.user_id = v_hold.user_id and h.reference_id = v_hold.reference_id
  returning h.* into strict v_hold;

  if end_hold.state = 'expired' then
    perform private.tell(
      v_hold.user_id, 'hold.expired',
      jsonb_build_object('reference_id', v_hold.reference_id, 'released_credits', v_hold.credits)
    );
  end if;
  -- A capture lowers the balance, and so does a debt that what was returned pays.
  perform private.tell_of_low_balance(
    v_hold.user_id, v_balance_before, v_hold.balance_after_end
  );
  return v_hold;
end;
$function$;

CREATE OR REPLACE FUNCTION private.low_balance_credits()
  RETURNS integer
  LANGUAGE plpgsql
  STABLE
  SET search_path TO ''
  AS $function$
begin
  return (select s.value from public.settings s where s.name = 'low_balance_credits');
end;
$function$;

CREATE OR REPLACE FUNCTION private.pay_order (
  order_id uuid,
  user_id  uuid
)
  RETURNS boolean
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_order public.payment_orders;
  v_payment_id text;
  v_is_first_grant boolean;
begin
  select o.* into strict v_order from public.payment_orders o where o.id = pay_order.order_id;

  -- The first payment counts for as long as we hold any of its money. If an order is paid twice, one of
  -- the two is refunded, and not always the second: once all of the first payment's money has been
  -- returned, its credits are gone too, and another payment whose money we hold buys them again.
  if v_order.state = 'paid' and private.net_paise(v_order.razorpay_payment_id) > 0 then
    v_payment_id := v_order.razorpay_payment_id;
  else
    select coalesce(
      (
        select p.id from public.payments p
        where p.order_id = v_order.id
          and p.amount_paise = v_order.amount_paise
          and p.currency = v_order.currency
          and private.net_paise(p.id) > 0
        order by p.created_at, p.id
        limit 1
      ),
      v_order.razorpay_payment_id
    ) into v_payment_id;
  end if;

  -- Captured money that buys nothing is for an operator to return.
  update public.payments p
  set flag = case
    when p.amount_paise = v_order.amount_paise and p.currency = v_order.currency
    then 'second_payment' else 'amount_mismatch'
  end
  where p.order_id = v_order.id
    and p.status in ('captured', 'refunded')
    and p.flag is null
    and (p.id <> v_payment_id
      or p.amount_paise <> v_order.amount_paise
      or p.currency <> v_order.currency);

  if v_payment_id is not distinct from v_order.razorpay_payment_id then
    return true;
  elsif pay_order.user_id is null then
    return false;
  end if;

  update public.payments p set flag = null where p.id = v_payment_id;
  update public.payment_orders o
  set state = 'paid',
      user_id = pay_order.user_id,
      razorpay_payment_id = v_payment_id,
      paid_at = coalesce(o.paid_at, clock_timestamp()),
      -- Watched for refunds from now on, even if it had been given up as unpaid.
      next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
  where o.id = v_order.id;

  -- A payment that paid the order earlier got its credits then, and gets them back from the reversals
  -- that failed.
  v_is_first_grant := exists (
    select from public.payments p where p.id = v_payment_id and p.credits_granted = 0
  );
  if v_is_first_grant then
    perform private.post_entry(
      pay_order.user_id, 'credit', v_order.credits, 'payment', v_payment_id
    );
    perform private.collect_debts(pay_order.user_id);
    update public.payments p
    set credits_granted = v_order.credits,
        balance_after_grant = u.credits,
        remaining_after_grant = private.remaining_credits(u),
        granted_at = clock_timestamp()
    from public.users u
    where p.id = v_payment_id and u.id = pay_order.user_id;
    perform private.tell(
      pay_order.user_id, 'credits.granted',
      jsonb_build_object(
        'source', 'payment', 'credits_added', v_order.credits, 'payment_id', v_payment_id
      ),
      v_order.id
    );
  end if;
  perform private.apply_reversals(pay_order.user_id, v_payment_id);
  if v_is_first_grant then
    -- The customer is told what is left, even if a part went back before the first report.
    update public.payments p
    set balance_after_grant = u.credits,
        remaining_after_grant = private.remaining_credits(u)
    from public.users u
    where p.id = v_payment_id and u.id = pay_order.user_id;
  end if;
  return true;
end;
$function$;

CREATE OR REPLACE FUNCTION private.restore_credits (
  user_id     uuid,
  reversal_id text,
  credits     integer
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_kind text;
  v_owed integer;
  v_forgiven integer;
begin
  select r.kind, least(r.credits_owed, restore_credits.credits), r.credits_forgiven
  into strict v_kind, v_owed, v_forgiven
  from public.payment_reversals r where r.id = restore_credits.reversal_id for update;
  -- What was forgiven was never taken from the balance.
  v_forgiven := least(v_forgiven, restore_credits.credits - v_owed);

  update public.payment_reversals r
  set credits_taken = r.credits_taken - restore_credits.credits,
      credits_owed = r.credits_owed - v_owed,
      credits_forgiven = r.credits_forgiven - v_forgiven
  where r.id = restore_credits.reversal_id;

  update public.users u set debt_credits = u.debt_credits - v_owed
  where u.id = restore_credits.user_id;

  if restore_credits.credits > v_owed + v_forgiven then
    perform private.post_entry(
      restore_credits.user_id, 'credit', restore_credits.credits - v_owed - v_forgiven, v_kind,
      restore_credits.reversal_id
    );
    perform private.collect_debts(restore_credits.user_id);
  end if;
  perform private.tell_of_reversal(
    restore_credits.user_id, 'credits.restored', restore_credits.reversal_id, restore_credits.credits
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.revoke_credits (
  user_id     uuid,
  reversal_id text,
  credits     integer
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_kind text;
  v_balance integer;
  v_available integer;
begin
  select u.credits, least(u.credits - u.held_credits, revoke_credits.credits)
  into strict v_balance, v_available
  from public.users u where u.id = revoke_credits.user_id for no key update;

  update public.payment_reversals r
  set credits_taken = r.credits_taken + revoke_credits.credits,
      credits_owed = r.credits_owed + revoke_credits.credits - v_available
  where r.id = revoke_credits.reversal_id
  returning r.kind into strict v_kind;

  update public.users u set debt_credits = u.debt_credits + revoke_credits.credits - v_available
  where u.id = revoke_credits.user_id;

  if v_available > 0 then
    perform private.post_entry(
      revoke_credits.user_id, 'debit', v_available, v_kind, revoke_credits.reversal_id
    );
  end if;
  perform private.tell_of_reversal(
    revoke_credits.user_id, 'credits.taken_back', revoke_credits.reversal_id, revoke_credits.credits
  );
  perform private.tell_of_low_balance(
    revoke_credits.user_id, v_balance, v_balance - v_available
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.tell (
  user_id  uuid,
  type     text,
  data     jsonb DEFAULT '{}'::jsonb,
  order_id uuid  DEFAULT NULL::uuid
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
begin
  insert into public.events
    (user_id, order_id, type, data, credits, remaining_credits, sequence_number)
  select u.id, tell.order_id, tell.type, tell.data, u.credits,
    case when u.id is not null then private.remaining_credits(u) end, u.transaction_count
  from (values (tell.user_id)) about (user_id)
  left join public.users u on u.id = about.user_id;
end;
$function$;

CREATE OR REPLACE FUNCTION private.tell_of_low_balance (
  user_id        uuid,
  balance_before integer,
  balance_after  integer
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_threshold constant integer := private.low_balance_credits();
begin
  if balance_after = 0 and balance_before > 0 then
    perform private.tell(user_id, 'credits.exhausted');
  elsif balance_after <= v_threshold and balance_before > v_threshold then
    perform private.tell(
      user_id, 'credits.low', jsonb_build_object('threshold_credits', v_threshold)
    );
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.tell_of_reversal (
  user_id     uuid,
  type        text,
  reversal_id text,
  credits     integer
)
  RETURNS void
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_order_id uuid;
  v_data jsonb;
begin
  select p.order_id,
    jsonb_build_object(
      'source', r.kind,
      case tell_of_reversal.type
        when 'credits.restored' then 'credits_restored' else 'credits_taken'
      end, tell_of_reversal.credits,
      'debt_credits', u.debt_credits,
      'payment_id', p.id,
      'reversal_id', r.id
    )
  into strict v_order_id, v_data
  from public.payment_reversals r
  join public.payments p on p.id = r.payment_id
  cross join public.users u
  where r.id = tell_of_reversal.reversal_id and u.id = tell_of_reversal.user_id;
  perform private.tell(tell_of_reversal.user_id, tell_of_reversal.type, v_data, v_order_id);
end;
$function$;

CREATE OR REPLACE FUNCTION public.capture_credits (
  phone_number     text    DEFAULT NULL::text,
  whatsapp_user_id text    DEFAULT NULL::text,
  reference_id     text    DEFAULT NULL::text,
  quantity         integer DEFAULT NULL::integer,
  credits          integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome           text,
    user_id           uuid,
    remaining_credits integer,
    captured_credits  integer,
    is_late           boolean,
    done_message      text,
    low_balance       boolean
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_user public.users;
  v_charge public.credit_transactions;
  v_hold public.holds;
  v_quantity integer;
  v_credits bigint;
  v_is_same boolean;
  v_balance integer;
  v_threshold integer;
begin
  if capture_credits.reference_id is null
    or num_nonnulls(capture_credits.credits, capture_credits.quantity) = 2
    or coalesce(capture_credits.credits, capture_credits.quantity, 0) < 0
  then
    raise exception 'a capture has a reference, and not less than no credits or a quantity of none'
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(capture_credits.phone_number, capture_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(capture_credits.phone_number, capture_credits.whatsapp_user_id);
  end if;

  -- One statement locks the user, ends the hold and charges it, if it is open and all of it is captured.
  -- If another transaction held the lock, PostgreSQL evaluates the conditions on the hold again on its
  -- newest version, so a hold ends once.
  with locked as materialized (
    select u.id from public.users u
    where u.phone_number = capture_credits.phone_number
      and u.next_hold_expiry_at > clock_timestamp()
    for no key update
  ),
  captured as (
    update public.holds h
    set state = 'captured',
        captured_credits = h.credits,
        ended_at = clock_timestamp()
    from locked l
    where h.user_id = l.id
      and h.reference_id = capture_credits.reference_id
      and h.state = 'open'
      and h.expires_at > clock_timestamp()
      and num_nonnulls(capture_credits.credits, capture_credits.quantity) = 0
    returning h.*
  ),
  charged as (
    update public.users u
    set credits = u.credits - c.credits,
        transaction_count = u.transaction_count + 1,
        held_credits = u.held_credits - c.credits,
        open_holds = u.open_holds - 1,
        next_hold_expiry_at = case when u.open_holds > 1 then u.next_hold_expiry_at end
    from captured c
    where u.id = c.user_id
    returning u.id, u.transaction_count, u.credits as balance,
      greatest(0, u.credits - u.held_credits - u.debt_credits) as remaining,
      c.credits, c.action_id, c.quantity, c.price_id
  ),
  entry as (
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after, quantity,
        price_id, remaining_after)
    select c.id, c.transaction_count, 'debit', c.credits, c.action_id, capture_credits.reference_id,
      c.balance, c.quantity, c.price_id, c.remaining
    from charged c
  )
  select 'captured', c.id, c.remaining, c.credits, false,
    (select p.done_message from public.action_prices p where p.id = c.price_id),
    c.balance, (select s.value from public.settings s where s.name = 'low_balance_credits')
  into outcome, user_id, remaining_credits, captured_credits, is_late, done_message,
    v_balance, v_threshold
  from charged c;

  if outcome is not null then
    low_balance := v_balance <= v_threshold;
    if low_balance and (v_balance = 0 or v_balance + captured_credits > v_threshold) then
      perform private.tell_of_low_balance(user_id, v_balance + captured_credits, v_balance);
    end if;
    return next;
    return;
  end if;

  -- Something else is asked for. With the user locked, each statement sees everything that came before.
  v_user := private.end_expired_holds(
    private.lock_user(capture_credits.phone_number, capture_credits.whatsapp_user_id)
  );
  v_charge := private.find_charge(v_user.id, capture_credits.reference_id);
  select h.* into v_hold from public.holds h
  where h.user_id = coalesce(v_charge.user_id, v_user.id)
    and h.reference_id = capture_credits.reference_id;
  user_id := v_user.id;
  is_late := v_hold.ended_at >= v_hold.expires_at;
  v_threshold := private.low_balance_credits();
  select p.done_message into done_message from public.action_prices p where p.id = v_hold.price_id;

  -- What is left out is all of the hold.
  v_quantity := capture_credits.quantity;
  v_credits := capture_credits.credits;
  if num_nonnulls(v_quantity, v_credits) = 0 then
    v_quantity := v_hold.quantity;
    v_credits := case when v_hold.quantity is null then v_hold.credits end;
  end if;

  if v_charge.user_id is not null then
    -- Captured, or charged by a deduction, whatever hold there was. The same again is a repetition.
    v_is_same := v_charge.reference_id = capture_credits.reference_id and (
      num_nonnulls(v_quantity, v_credits) = 0
      or private.is_same_request(
        v_charge.source, v_charge.quantity, v_charge.credits,
        coalesce(v_hold.action_id, v_charge.source), v_quantity, v_credits::integer
      )
    );
    outcome := case when v_is_same then 'replayed' else 'reference_reused' end;
    user_id := v_charge.user_id;
    remaining_credits := coalesce(v_charge.remaining_after, v_charge.balance_after);
    captured_credits := v_charge.credits;
    is_late := is_late and v_hold.state = 'captured';
    done_message := private.done_message(v_charge);
    low_balance := v_charge.balance_after <= v_threshold;
    return next;
    return;
  elsif v_hold.user_id is null then
    outcome := 'hold_not_found';
    return next;
    return;
  elsif v_hold.state = 'released' then
    outcome := case
      when v_hold.captured_credits = 0 and coalesce(v_quantity, v_credits) = 0 then 'replayed'
      else 'hold_released'
    end;
    remaining_credits := v_hold.remaining_after_end;
    captured_credits := 0;
    low_balance := v_hold.balance_after_end <= v_threshold;
    return next;
    return;
  elsif (v_quantity is null) <> (v_hold.quantity is null) then
    outcome := 'wrong_unit';
    return next;
    return;
  end if;

  if v_quantity > 0 then
    select private.price_in_credits(v_quantity, p.credits, p.per_quantity, p.minimum_credits)
    into v_credits
    from public.action_prices p where p.id = v_hold.price_id;
  end if;
  v_credits := coalesce(v_credits, 0);

  if v_credits > v_hold.credits then
    outcome := 'capture_exceeds_hold';
    return next;
    return;
  elsif v_hold.state = 'expired' and v_credits > 0 and v_user.frozen_at is not null then
    -- Its credits had returned to the account, so this would be a new charge.
    outcome := 'account_frozen';
    return next;
    return;
  elsif v_hold.state = 'expired'
    and v_credits > v_user.credits - v_user.held_credits - v_user.debt_credits
  then
    outcome := 'hold_expired';
    return next;
    return;
  end if;

  v_hold := private.end_hold(
    v_hold, case v_credits when 0 then 'released' else 'captured' end, v_credits::integer, v_quantity
  );
  outcome := 'captured';
  remaining_credits := v_hold.remaining_after_end;
  captured_credits := v_hold.captured_credits;
  is_late := v_hold.ended_at >= v_hold.expires_at;
  low_balance := v_hold.balance_after_end <= v_threshold;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."capture_credits"(text, text, text, integer, integer) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.claim_event_deliveries (
  url        text,
  batch_size integer
)
  RETURNS TABLE (
    event_id          uuid,
    address_id        integer,
    lease_token       uuid,
    type              text,
    created_at        timestamp with time zone,
    user_id           uuid,
    phone_number      text,
    whatsapp_user_id  text,
    credits           integer,
    remaining_credits integer,
    sequence_number   integer,
    order_id          uuid,
    package_id        text,
    reference_id      text,
    data              jsonb
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  -- Twice as long as an attempt may take.
  v_lease constant interval := '30 seconds';
  v_max_under_way constant integer := 10;
  v_failures_of_a_down_address constant integer := 3;
  v_address public.event_addresses;
  v_is_down boolean;
  v_free integer;
begin
  -- Calls for one address take turns, so that together they send it no more than it can take.
  select a.* into v_address from public.event_addresses a
  where a.url = claim_event_deliveries.url and a.removed_at is null
  for no key update;
  v_is_down := v_address.failures >= v_failures_of_a_down_address;
  if v_address.id is null
    or v_address.paused_at is not null
    or v_address.not_before > clock_timestamp()
    or v_is_down and v_address.next_probe_at > clock_timestamp()
  then
    return;
  end if;

  select case when v_is_down then 1 else v_max_under_way end - count(*) into v_free
  from public.event_deliveries d
  where d.address_id = v_address.id and d.lease_token is not null
    and d.next_attempt_at > clock_timestamp();

  return query
  with due as (
    select d.event_id
    from public.event_deliveries d
    where d.address_id = v_address.id
      and d.state = 'pending'
      and d.next_attempt_at <= statement_timestamp()
    order by d.next_attempt_at
    limit greatest(0, least(claim_event_deliveries.batch_size, v_free))
    for no key update skip locked
  ),
  claimed as (
    update public.event_deliveries d
    set attempts = d.attempts + 1,
        lease_token = gen_random_uuid(),
        last_attempt_at = clock_timestamp(),
        -- A claim that is never finished, because the caller was cut off, expires.
        next_attempt_at = clock_timestamp() + v_lease
    where d.address_id = v_address.id
      and d.event_id = any (array(select due.event_id from due))
    returning d.*
  )
  select e.id, c.address_id, c.lease_token, e.type, e.created_at, e.user_id,
    case when who.id is null then o.phone_number else who.phone_number end,
    case
      when who.id is null then o.whatsapp_user_id
      else (
        select i.value from public.identities i
        where i.user_id = who.id and i.kind = 'whatsapp_user_id'
        order by i.created_at desc
        limit 1
      )
    end,
    e.credits, e.remaining_credits, e.sequence_number, e.order_id, o.package_id,
    (
      select r.reference_id from public.order_references r
      where r.order_id = e.order_id
      order by r.created_at desc
      limit 1
    ),
    e.data
  from claimed c
  join public.events e on e.id = c.event_id
  left join public.payment_orders o on o.id = e.order_id
  left join public.users u on u.id = e.user_id
  -- Whoever the number belongs to now: the account may have been merged into another one.
  left join public.users who
    on who.id = case
      when u.id is null then private.find_user_id(o.phone_number, o.whatsapp_user_id)
      else coalesce(u.merged_into, u.id)
    end;

  if found and v_is_down then
    update public.event_addresses a set next_probe_at = clock_timestamp() + v_lease
    where a.id = v_address.id;
  end if;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."claim_event_deliveries"(text, integer) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.deduct_credits (
  phone_number     text    DEFAULT NULL::text,
  credits          integer DEFAULT NULL::integer,
  reference_id     text    DEFAULT NULL::text,
  whatsapp_user_id text    DEFAULT NULL::text,
  action           text    DEFAULT NULL::text,
  quantity         integer DEFAULT NULL::integer
)
  RETURNS TABLE (
    outcome           text,
    user_id           uuid,
    remaining_credits integer,
    reserved_credits  integer,
    needed_credits    bigint,
    done_message      text,
    low_balance       boolean
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_max_credits constant integer := 1000;
  v_action constant text := coalesce(deduct_credits.action, 'image_generation');
  v_quantity constant integer :=
    case when deduct_credits.credits is null then coalesce(deduct_credits.quantity, 1) end;
  v_charged_credits integer;
  v_is_charged boolean;
  v_balance integer;
  v_threshold integer;
  v_user public.users;
  v_charge public.credit_transactions;
  v_price private.price_of_a_call;
begin
  if num_nonnulls(deduct_credits.credits, deduct_credits.quantity) = 2
    or coalesce(deduct_credits.credits, v_quantity) < 1
  then
    raise exception 'a deduction is at least one credit, or a quantity of at least one'
      using errcode = 'invalid_parameter_value';
  end if;

  if num_nonnulls(deduct_credits.phone_number, deduct_credits.whatsapp_user_id) = 2 then
    perform private.ensure_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id);
  end if;

  -- One statement prices, decides, charges and records, for a known number with nothing unusual about it.
  -- If another transaction held the user's row, PostgreSQL evaluates the conditions on the row again on
  -- its newest version, so no stale figure is ever written back.
  with price as (
    select p.id, p.done_message,
      coalesce(
        deduct_credits.credits,
        private.price_in_credits(v_quantity, p.credits, p.per_quantity, p.minimum_credits)
      ) as credits
    from private.current_prices p
    where p.action_id = v_action
  ),
  charged as (
    update public.users u
    set credits = u.credits - p.credits::integer,
        transaction_count = u.transaction_count + 1
    from price p
    -- The number in the user's own row, which saves the look-up in identities.
    where u.phone_number = deduct_credits.phone_number
      and u.credits - u.held_credits - u.debt_credits >= p.credits
      and p.credits <= v_max_credits
      and u.frozen_at is null
      -- A hold may have expired, which returns its credits.
      and (u.next_hold_expiry_at is null or u.next_hold_expiry_at > clock_timestamp())
    returning u.id, u.transaction_count, u.credits as balance,
      u.credits - u.held_credits - u.debt_credits as remaining,
      u.held_credits > 0 or u.has_merged as may_be_taken,
      p.id as price_id, p.credits::integer, p.done_message
  ),
  entry as (
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after, quantity,
        price_id, remaining_after)
    select c.id, c.transaction_count, 'debit', c.credits, v_action, deduct_credits.reference_id,
      c.balance, v_quantity, c.price_id, c.remaining
    from charged c
    where case
      when c.may_be_taken then not private.is_reference_taken(c.id, deduct_credits.reference_id)
      else true
    end
    -- A repeated reference is a retry.
    on conflict (user_id, hashtextextended(reference_id, 0))
      where reference_id is not null
        and source not in ('system', 'payment', 'refund', 'dispute', 'merge', 'adjustment')
      do nothing
    returning true as is_written
  )
  select 'deducted', c.id, c.remaining, 0, c.credits, c.done_message, c.credits, e.is_written,
    c.balance, (select s.value from public.settings s where s.name = 'low_balance_credits')
  into outcome, user_id, remaining_credits, reserved_credits, needed_credits, done_message,
    v_charged_credits, v_is_charged, v_balance, v_threshold
  from charged c
  left join entry e on true;

  if v_is_charged then
    low_balance := v_balance <= v_threshold;
    if low_balance and (v_balance = 0 or v_balance + v_charged_credits > v_threshold) then
      perform private.tell_of_low_balance(user_id, v_balance + v_charged_credits, v_balance);
    end if;
    return next;
    return;
  elsif v_charged_credits is not null then
    -- Charged without an entry: the reference is taken. Nobody else has seen the row, which is locked.
    update public.users u
    set credits = u.credits + v_charged_credits,
        transaction_count = u.transaction_count - 1
    where u.id = deduct_credits.user_id;
  end if;

  -- Something is unusual. With the user locked, each statement sees everything that came before.
  v_user := private.end_expired_holds(
    private.lock_user(deduct_credits.phone_number, deduct_credits.whatsapp_user_id)
  );
  user_id := v_user.id;
  -- A hold that expires from here on still counts until the next call.
  remaining_credits :=
    greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits);
  reserved_credits := v_user.held_credits;

  if deduct_credits.reference_id is not null then
    v_charge := private.find_charge(v_user.id, deduct_credits.reference_id);
    if v_charge.user_id is not null then
      -- A repeated reference returns what the first call did, and charges nothing.
      outcome := case
        when v_charge.reference_id = deduct_credits.reference_id
          and private.is_same_request(
            v_charge.source, v_charge.quantity, v_charge.credits,
            v_action, v_quantity, deduct_credits.credits
          )
        then 'replayed'
        else 'reference_reused'
      end;
      user_id := v_charge.user_id;
      remaining_credits := coalesce(v_charge.remaining_after, v_charge.balance_after);
      done_message := private.done_message(v_charge);
      low_balance := v_charge.balance_after <= private.low_balance_credits();
      return next;
      return;
    elsif private.is_reference_taken(v_user.id, deduct_credits.reference_id) then
      outcome := 'reference_held';
      return next;
      return;
    end if;
  end if;

  if v_user.frozen_at is not null then
    outcome := 'account_frozen';
    return next;
    return;
  end if;

  v_price := private.find_price(v_action, v_quantity, deduct_credits.credits);
  needed_credits := v_price.credits;
  done_message := v_price.done_message;
  if v_price.price_id is null then
    outcome := 'action_not_found';
  elsif v_price.credits > v_max_credits then
    outcome := 'too_many_credits';
  elsif v_price.credits > remaining_credits then
    outcome := 'insufficient_credits';
  else
    v_balance := private.post_entry(
      v_user.id, 'debit', v_price.credits::integer, v_action, deduct_credits.reference_id, v_quantity,
      v_price.price_id
    );
    perform private.tell_of_low_balance(v_user.id, v_user.credits, v_balance);
    outcome := 'deducted';
    remaining_credits := remaining_credits - v_price.credits::integer;
    low_balance := v_balance <= private.low_balance_credits();
  end if;
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.finish_event_delivery (
  event_id            uuid,
  address_id          integer,
  lease_token         uuid,
  http_status         integer DEFAULT NULL::integer,
  error               text    DEFAULT NULL::text,
  retry_after_seconds integer DEFAULT NULL::integer
)
  RETURNS text
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  v_waits constant interval[] := array[
    '5 seconds', '30 seconds', '2 minutes', '10 minutes', '30 minutes', '1 hour', '2 hours', '4 hours',
    '8 hours'
  ];
  v_longest_probe_wait constant interval := '15 minutes';
  v_failures_of_a_down_address constant integer := 3;
  -- The address says how long to wait, but not for how long nobody is told anything.
  v_retry_after constant interval := make_interval(
    secs => least(greatest(finish_event_delivery.retry_after_seconds, 0), 3600)
  );
  -- So that what failed together is not sent together again.
  v_jitter constant double precision := 0.8 + 0.4 * random();
  v_address public.event_addresses;
  v_delivery public.event_deliveries;
begin
  select a.* into v_address from public.event_addresses a
  where a.id = finish_event_delivery.address_id
  for no key update;
  select d.* into v_delivery from public.event_deliveries d
  where d.event_id = finish_event_delivery.event_id
    and d.address_id = finish_event_delivery.address_id
    -- Whoever has claimed it since says what became of it.
    and d.lease_token = finish_event_delivery.lease_token
  for no key update;
  if not found then
    return 'lease_lost';
  end if;

  update public.event_deliveries d
  set lease_token = null,
      last_status = finish_event_delivery.http_status,
      last_error = finish_event_delivery.error
  where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;

  if finish_event_delivery.http_status between 200 and 299 then
    update public.event_deliveries d
    set state = 'delivered', next_attempt_at = null, finished_at = clock_timestamp()
    where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
    update public.event_addresses a set failures = 0, failing_since = null, next_probe_at = null
    where a.id = v_address.id and a.failures > 0;
    -- It was down and is back: what failed meanwhile did not fail by itself.
    if v_address.failures >= v_failures_of_a_down_address then
      update public.event_deliveries d
      set next_attempt_at = least(d.next_attempt_at, clock_timestamp())
      where d.address_id = v_address.id
        and d.state = 'pending'
        and d.lease_token is null
        and d.last_attempt_at >= v_address.failing_since - interval '1 minute';
    end if;
    return 'delivered';
  elsif finish_event_delivery.http_status = 410 then
    update public.event_deliveries d set next_attempt_at = clock_timestamp()
    where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
    update public.event_addresses a set paused_at = coalesce(a.paused_at, clock_timestamp())
    where a.id = v_address.id;
    return 'paused';
  end if;

  update public.event_addresses a
  set failures = a.failures + 1,
      failing_since = coalesce(a.failing_since, clock_timestamp()),
      next_probe_at = clock_timestamp() + v_jitter * least(
        v_longest_probe_wait,
        interval '5 seconds' * power(2, least(a.failures, 20) + 1 - v_failures_of_a_down_address)
      ),
      not_before = greatest(a.not_before, clock_timestamp() + v_retry_after),
      last_failure = coalesce(
        finish_event_delivery.error, 'status ' || finish_event_delivery.http_status
      )
  where a.id = v_address.id;

  if clock_timestamp() >= v_delivery.give_up_at then
    update public.event_deliveries d
    set state = 'dead', next_attempt_at = null, finished_at = clock_timestamp()
    where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
    return 'dead';
  end if;
  update public.event_deliveries d
  set next_attempt_at = least(
    clock_timestamp() + greatest(
      v_jitter * v_waits[least(v_delivery.attempts, array_length(v_waits, 1))],
      v_retry_after
    ),
    v_delivery.give_up_at
  )
  where d.event_id = v_delivery.event_id and d.address_id = v_delivery.address_id;
  return 'failed';
end;
$function$;

REVOKE ALL ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.get_user (
  phone_number     text DEFAULT NULL::text,
  whatsapp_user_id text DEFAULT NULL::text,
  caller_address   text DEFAULT NULL::text
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
    is_frozen           boolean
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
  -- Anyone who can reach a page could otherwise farm free credits with made-up numbers.
  if get_user.caller_address is not null
    and private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null
  then
    -- Another first contact may be under way. Wait for it before counting anything.
    perform private.lock_identities(get_user.phone_number, get_user.whatsapp_user_id);
    if private.find_user_id(get_user.phone_number, get_user.whatsapp_user_id) is null then
      select c.exceeded_scope, c.retry_after_seconds into v_exceeded_scope, retry_after_seconds
      from private.count_against_limits('create_user', get_user.caller_address) c;
      if v_exceeded_scope is not null then
        outcome := 'rate_limited';
        return next;
        return;
      end if;
    end if;
  end if;

  v_user := private.ensure_user(get_user.phone_number, get_user.whatsapp_user_id);
  return query select 'found', v_user.id, v_user.credits, v_user.created_at, 0,
    private.remaining_credits(v_user), private.reserved_credits(v_user),
    v_user.credits <= private.low_balance_credits(),
    v_user.frozen_at is not null;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.hand_out_events (
  urls       text[],
  batch_size integer
)
  RETURNS integer
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
declare
  -- Runs may name different addresses for a while after the setting has changed.
  v_unnamed_for constant interval := '1 hour';
  v_max_age constant interval := '3 days';
  v_count integer;
begin
  -- Not at every run, because runs come every few seconds.
  update public.event_addresses a
  set named_at = clock_timestamp(), removed_at = null
  where a.url = any (hand_out_events.urls)
    and (a.named_at < clock_timestamp() - interval '5 minutes' or a.removed_at is not null);
  insert into public.event_addresses (url)
  select named.url from unnest(hand_out_events.urls) with ordinality named (url, position)
  where not exists (select from public.event_addresses a where a.url = named.url)
  order by named.position
  on conflict (url) do nothing;

  update public.event_addresses a set removed_at = clock_timestamp()
  where a.removed_at is null
    and a.url <> all (hand_out_events.urls)
    and a.named_at < clock_timestamp() - v_unnamed_for;
  update public.event_deliveries d
  set state = 'ended', next_attempt_at = null, lease_token = null, finished_at = clock_timestamp()
  where d.ctid = any (array(
    select p.ctid
    from public.event_addresses a
    join public.event_deliveries p on p.address_id = a.id and p.state = 'pending'
    where a.removed_at is not null
    limit 10000
    for update of p skip locked
  ));

  -- The last attempt is at give_up_at. These have missed it, because their address was down or nobody
  -- called; a paused address keeps its queue.
  update public.event_deliveries d
  set state = 'dead', next_attempt_at = null, lease_token = null, finished_at = clock_timestamp()
  where d.ctid = any (array(
    select p.ctid
    from public.event_deliveries p
    join public.event_addresses a on a.id = p.address_id and a.paused_at is null
    where p.state = 'pending' and p.give_up_at < statement_timestamp() - interval '1 hour'
    limit 10000
    for update of p skip locked
  ));

  -- Events that nobody wants to hear stay as they are. Which ones are new is told by the row and not by
  -- a position, because transactions do not commit in the order in which they began.
  if not exists (select from public.event_addresses a where a.removed_at is null) then
    return 0;
  end if;
  with due as (
    select e.id, e.created_at
    from public.events e
    where e.state = 'new'
    order by e.created_at
    limit hand_out_events.batch_size
    for no key update skip locked
  ),
  handed_out as (
    update public.events e
    set state = case
          when d.created_at < clock_timestamp() - v_max_age then 'not_sent' else 'handed_out'
        end,
        handed_out_at = clock_timestamp()
    from due d
    where e.id = d.id
    returning e.id, e.state, e.created_at
  ),
  delivery as (
    insert into public.event_deliveries (event_id, address_id, next_attempt_at)
    -- The oldest first.
    select h.id, a.id, h.created_at
    from handed_out h
    cross join public.event_addresses a
    where h.state = 'handed_out' and a.removed_at is null
  )
  select count(*) into v_count from handed_out;
  return v_count;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."hand_out_events"(text[], integer) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.list_attention()
  RETURNS TABLE (
    kind    text,
    subject text,
    since   timestamp with time zone,
    detail  text
  )
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path TO ''
  AS $function$
  -- Every branch reads a partial index of the few rows that may need attention, never a whole table.
  select 'flagged payment', p.id, p.created_at,
    format('%s: %s paise of order %s bought nothing; refund them', p.flag, p.amount_paise, p.order_id)
  from public.payments p
  where p.flag is not null
    and p.amount_paise > coalesce((
      select sum(r.amount_paise) from public.payment_reversals r
      where r.payment_id = p.id and r.is_money_gone
    ), 0)

  union all
  select 'debt', coalesce(u.phone_number, u.id::text), min(d.created_at),
    format('%s credits were spent before they were taken back', u.debt_credits)
  from private.debts d
  join public.users u on u.id = d.user_id
  group by u.id

  union all
  select 'unfinished refund', a.reference_id, a.created_at,
    format('%s asked Razorpay to refund %s paise of %s, and what came of it is not known; ask again with '
      'the same reference', a.operator, a.after ->> 'amount_paise', a.payment_id)
  from public.operator_actions a
  where a.outcome = 'asked'
    and a.created_at < statement_timestamp() - interval '1 minute'
    and not exists (select from public.operator_actions c where c.completes = a.id)

  union all
  select 'open order', o.id::text, o.created_at,
    format('%s paise by %s since %s, last tried payment %s', o.amount_paise, o.channel, o.created_at, (
      select p.id || ' ' || p.status from public.payments p where p.order_id = o.id
      order by p.created_at desc limit 1
    ))
  from public.payment_orders o
  where o.state = 'open' and o.tried_at is not null and o.next_check_at is not null
    and o.created_at < statement_timestamp() - interval '15 minutes'

  union all
  select 'failed delivery', d.id::text, d.received_at,
    format('%s %s: %s', d.event, d.event_id, coalesce(d.outcome, 'cut off'))
  from (
    select f.* from public.webhook_deliveries f where f.outcome = 'failed'
    union all
    select f.* from public.webhook_deliveries f
    where f.outcome is null and f.received_at < statement_timestamp() - interval '1 minute'
  ) d
  -- Superseded by a later successful delivery, unless it came without an id.
  where not exists (
    select from public.webhook_deliveries later
    where later.event_id = d.event_id and later.event_id <> '' and later.id > d.id
      and later.outcome <> 'failed'
  )

  union all
  select 'payment of no order', d.razorpay_payment_id, min(d.received_at),
    format('captured with this key''s account for Razorpay order %s, which is not ours; refund it',
      coalesce(max(d.razorpay_order_id), 'none'))
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
      c.window_ends_at)
  from public.rate_limits l
  join public.rate_counters c on c.action = l.action and c.scope = l.scope and c.subject = 'all'
  where l.scope = 'project' and c.count >= l.max_count and c.window_ends_at > statement_timestamp()

  union all
  select 'broken invariant', v.subject, v.found_at, format('%s: %s', v.invariant, v.detail)
  from public.book_violations v
  where v.gone_at is null

  union all
  select 'books unchecked', 'books', c.complete_until, 'no run has checked what was written since'
  from (select b.complete_until from public.book_checks b order by b.id desc limit 1) c
  where c.complete_until < statement_timestamp() - interval '1 hour'

  union all
  select 'undelivered events', regexp_replace(a.url, '[?].*', ''),
    least(a.paused_at, a.failing_since, dead.since),
    concat_ws('; ',
      case when a.paused_at is not null
        then format('it answered 410 and is sent nothing more: %s wait', waiting.count) end,
      case when a.paused_at is null and a.failures > 0
        then format('the last %s attempts failed (%s): %s wait', a.failures, a.last_failure, waiting.count)
      end,
      case when dead.count > 0 then format('%s were given up after three days', dead.count) end,
      'resend-events sends them again'
    )
  from public.event_addresses a
  cross join lateral (
    select count(*) as count, min(d.finished_at) as since
    from public.event_deliveries d where d.address_id = a.id and d.state = 'dead'
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
    format('%s wait to be handed out: deliver-events fails, or nobody calls it', count(*))
  from public.events e
  where e.state = 'new' and e.created_at < statement_timestamp() - interval '15 minutes'
    -- Without an address, events only wait for one.
    and exists (select from public.event_addresses a where a.removed_at is null)
  having count(*) > 0

  order by 3;
$function$;

CREATE OR REPLACE FUNCTION public.resend_events (
  operator       text,
  reason         text,
  reference_id   text,
  event_id       uuid                     DEFAULT NULL::uuid,
  created_from   timestamp with time zone DEFAULT NULL::timestamp WITH time zone,
  created_before timestamp with time zone DEFAULT NULL::timestamp WITH time zone
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
    result => result
  );
  return next;
end;
$function$;

REVOKE ALL ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone) FROM PUBLIC, "anon", "authenticated";

CREATE OR REPLACE FUNCTION public.settle_payment (
  razorpay_order_id   text,
  razorpay_payment_id text,
  payment_status      text,
  amount_paise        integer,
  currency            text,
  reversals           jsonb   DEFAULT '[]'::jsonb,
  receipt             text    DEFAULT NULL::text
)
  RETURNS TABLE (
    outcome           text,
    credits_added     integer,
    remaining_credits integer
  )
  LANGUAGE plpgsql
  SECURITY DEFINER
  SET search_path TO ''
  SET lock_timeout TO '3s'
  SET statement_timeout TO '4s'
  AS $function$
#variable_conflict use_column
declare
  -- A failed payment may still be authorized or captured: the bank responds late, or the customer
  -- tries again within the same payment (Razorpay docs, webhooks/payments.md).
  v_steps constant text[] := array['created', 'failed', 'authorized', 'captured', 'refunded'];
  v_is_settled boolean := false;
  v_is_user_needed boolean := false;
  v_user_id uuid;
  v_user public.users;
  v_order public.payment_orders;
  v_payment public.payments;
  v_reversal jsonb;
  v_was_granted boolean;
  v_former_status text;
begin
  for v_attempt in 1..10 loop
    begin
      select o.* into v_order from public.payment_orders o
      where o.razorpay_order_id = settle_payment.razorpay_order_id;

      -- A payment may arrive before its Razorpay order is known: the response to create-order was cut
      -- off, or a payment link got its order when the customer started to pay. The receipt, which is our
      -- order's id without hyphens, then tells which order it is.
      if not found and settle_payment.receipt ~ '^[0-9a-f]{32}$' then
        select o.* into v_order from public.payment_orders o
        where o.id = settle_payment.receipt::uuid;
      end if;

      -- The user comes before the order. A new user is created only once it is clear that there is
      -- money.
      v_user_id := coalesce(
        v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
      );
      if v_user_id is null and v_is_user_needed then
        v_user_id :=
          (private.ensure_user(v_order.phone_number, v_order.whatsapp_user_id)).id;
      end if;
      select u.* into v_user from public.users u where u.id = v_user_id for no key update;
      select o.* into v_order from public.payment_orders o where o.id = v_order.id
      for no key update;

      -- The call that held the locks may have merged the account, created one for the number, or paid
      -- the order.
      if v_user.merged_into is not null
        or v_user_id is distinct from coalesce(
          v_order.user_id, private.find_user_id(v_order.phone_number, v_order.whatsapp_user_id)
        )
      then
        raise exception 'the order has meanwhile gone to another user'
          using errcode = 'serialization_failure';
      end if;

      perform private.end_expired_holds(v_user);

      if v_order.state = 'pending' then
        update public.payment_orders o
        set razorpay_order_id = settle_payment.razorpay_order_id,
            state = 'open',
            opened_at = clock_timestamp(),
            next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')
        where o.id = v_order.id
        returning * into v_order;
      end if;

      if v_order.id is null or v_order.razorpay_order_id <> settle_payment.razorpay_order_id then
        outcome := 'not_ours';
        return next;
        return;
      end if;

      select p.status into v_former_status from public.payments p
      where p.id = settle_payment.razorpay_payment_id;
      insert into public.payments as p (id, order_id, status, amount_paise, currency)
      values (settle_payment.razorpay_payment_id, v_order.id, settle_payment.payment_status,
        settle_payment.amount_paise, settle_payment.currency)
      on conflict (id) do update
      -- Reports arrive in any order; a payment only moves forward.
      set status = v_steps[greatest(
        array_position(v_steps, p.status), array_position(v_steps, excluded.status)
      )]
      where p.order_id = excluded.order_id
      returning * into v_payment;

      if v_payment.id is null then
        raise exception 'payment % belongs to another order', settle_payment.razorpay_payment_id
          using errcode = 'integrity_constraint_violation';
      end if;

      update public.payment_orders o set tried_at = clock_timestamp()
      where o.id = v_order.id and o.tried_at is null;

      for v_reversal in select * from jsonb_array_elements(settle_payment.reversals) loop
        perform private.record_reversal(v_payment.id, v_reversal);
      end loop;
      -- The payment that has paid the order comes first: what it lost is taken back before another
      -- payment may take over and add its credits.
      perform private.apply_reversals(v_order.user_id, v_order.razorpay_payment_id);
      if not private.pay_order(v_order.id, v_user_id) then
        v_is_user_needed := true;
        raise exception 'the first purchase of this number needs a user'
          using errcode = 'serialization_failure';
      end if;
      v_is_settled := true;
      exit;
    exception
      -- Start over, with none of these locks and nothing written.
      when serialization_failure or deadlock_detected then null;
    end;
  end loop;
  if not v_is_settled then
    raise exception 'other calls keep getting in the way' using errcode = 'serialization_failure';
  end if;

  v_was_granted := v_payment.credits_granted > 0;
  select o.* into strict v_order from public.payment_orders o where o.id = v_order.id;
  select p.* into strict v_payment from public.payments p where p.id = v_payment.id;

  -- Who has paid meanwhile need not hear of an attempt that failed before.
  if v_payment.status = 'failed' and v_former_status is distinct from 'failed'
    and v_order.state <> 'paid'
  then
    perform private.tell(
      v_user_id, 'payment.failed', jsonb_build_object('payment_id', v_payment.id), v_order.id
    );
  end if;

  if v_payment.status in ('captured', 'refunded') and private.net_paise(v_payment.id) = 0 then
    -- Money that came and went buys nothing.
    outcome := 'payment_refunded';
  elsif v_order.amount_paise <> v_payment.amount_paise or v_order.currency <> v_payment.currency then
    outcome := 'amount_mismatch';
  elsif v_payment.status not in ('captured', 'refunded') then
    outcome := 'not_captured';
  elsif v_order.razorpay_payment_id <> v_payment.id then
    outcome := 'paid_by_another_payment';
  else
    -- A repeated report returns the same figures as the first one.
    outcome := case when v_was_granted then 'replayed' else 'settled' end;
    credits_added := v_payment.credits_granted;
    remaining_credits := coalesce(v_payment.remaining_after_grant, v_payment.balance_after_grant);
  end if;

  return next;
end;
$function$;

ALTER TABLE "public"."event_deliveries"
  ADD CONSTRAINT "event_deliveries_address_id_fkey" FOREIGN KEY (address_id) REFERENCES public.event_addresses(id);

ALTER TABLE "public"."events"
  ADD CONSTRAINT "events_order_id_fkey" FOREIGN KEY (order_id) REFERENCES public.payment_orders(id);

ALTER TABLE "public"."event_deliveries"
  ADD CONSTRAINT "event_deliveries_event_id_fkey" FOREIGN KEY (event_id) REFERENCES public.events(id) ON DELETE CASCADE;

ALTER TABLE "public"."events"
  ADD CONSTRAINT "events_user_id_fkey" FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE "public"."settings"
  ADD CONSTRAINT "name_is_known" CHECK ((name = ANY (ARRAY['low_balance_credits'::text, 'max_open_holds'::text])));

CREATE INDEX event_deliveries_dead ON public.event_deliveries USING btree (address_id)
  WHERE (state = 'dead'::text);

CREATE INDEX event_deliveries_due ON public.event_deliveries USING btree (address_id, next_attempt_at)
  WHERE (state = 'pending'::text);

CREATE INDEX event_deliveries_to_give_up ON public.event_deliveries USING btree (give_up_at)
  WHERE (state = 'pending'::text);

CREATE INDEX event_deliveries_under_way ON public.event_deliveries USING btree (address_id)
  WHERE (lease_token IS NOT NULL);

CREATE INDEX events_about_an_order ON public.events USING btree (order_id)
  WHERE (order_id IS NOT NULL);

CREATE INDEX events_by_time ON public.events USING btree (created_at);

CREATE INDEX events_of_a_user ON public.events USING btree (user_id);

CREATE INDEX events_to_hand_out ON public.events USING btree (created_at)
  WHERE (state = 'new'::text);

COMMENT ON COLUMN "public"."event_addresses"."failures" IS 'Attempts that failed since the last one that succeeded. From the third on, it is probed with one delivery at a time.';

COMMENT ON COLUMN "public"."event_addresses"."last_failure" IS 'The status that it answered with, or why there was no answer.';

COMMENT ON COLUMN "public"."event_addresses"."named_at" IS 'When a run last named it, to within a few minutes.';

COMMENT ON COLUMN "public"."event_addresses"."next_probe_at" IS 'When it may be probed next.';

COMMENT ON COLUMN "public"."event_addresses"."not_before" IS 'Until when it asked to be left alone, with Retry-After.';

COMMENT ON COLUMN "public"."event_addresses"."paused_at" IS 'When it answered 410 Gone. Its queue is kept; resend_events resumes it.';

COMMENT ON COLUMN "public"."event_addresses"."removed_at" IS 'When runs had not named it for an hour, which ended its queue. Null while it is in use.';

COMMENT ON COLUMN "public"."event_deliveries"."give_up_at" IS 'When it is sent for the last time.';

COMMENT ON COLUMN "public"."event_deliveries"."lease_token" IS 'Whoever is sending it holds this token, and nobody else may say what became of it.';

COMMENT ON COLUMN "public"."event_deliveries"."next_attempt_at" IS 'When it is to be sent next; while it is being sent, when its lease ends.';

COMMENT ON COLUMN "public"."event_deliveries"."state" IS 'pending: to be sent. delivered: answered with 2xx. dead: given up after three days. ended: its address is no longer in use.';

COMMENT ON COLUMN "public"."events"."credits" IS 'The balance, right after what the event tells of.';

COMMENT ON COLUMN "public"."events"."data" IS 'What only this type of event tells.';

COMMENT ON COLUMN "public"."events"."order_id" IS 'The order that it is about, whose reference is joined when the event is sent.';

COMMENT ON COLUMN "public"."events"."remaining_credits" IS 'What could be spent then.';

COMMENT ON COLUMN "public"."events"."sequence_number" IS 'The user''s newest entry in the ledger then, so that a late event is seen to be old.';

COMMENT ON COLUMN "public"."events"."state" IS 'new: not given to any address yet. handed_out: event_deliveries has a row for each address of that moment. not_sent: too old when it would have been handed out.';

COMMENT ON COLUMN "public"."events"."user_id" IS 'Null if a payment failed for somebody who is no user yet.';

COMMENT ON COLUMN "public"."holds"."balance_after_end" IS 'The balance after it ended. Both are null in what was captured whole, whose entry says so.';

COMMENT ON COLUMN "public"."settings"."value" IS 'low_balance_credits: the balance at which a user is running out. max_open_holds: how many holds of one user may be open at the same time.';

COMMENT ON FUNCTION "private"."low_balance_credits"() IS 'The setting.';

COMMENT ON FUNCTION "private"."tell"(uuid, text, jsonb, uuid) IS 'To be called after everything has changed that the event tells of. The user, who is locked, may be null if there is an order: it tells whom the event is about.';

COMMENT ON FUNCTION "private"."tell_of_low_balance"(uuid, integer, integer) IS 'Looks at the balance, whatever is reserved of it. Only the crossing is told: a balance that was low before, or has risen, is no news.';

COMMENT ON FUNCTION "private"."tell_of_reversal"(uuid, text, text, integer) IS 'credits: all that the reversal took or gave back, also as debt.';

COMMENT ON FUNCTION "public"."capture_credits"(text, text, text, integer, integer) IS 'One row. In the unit of the reservation, quantity or credits; neither is all of it, and none of it releases it. outcome: captured (is_late: after the hold had expired, and charged anew); replayed (captured before: the figures are those of the first call); reference_reused (charged before, another amount); hold_not_found; hold_released; hold_expired (and too few credits are left); account_frozen (and the hold has expired); wrong_unit; capture_exceeds_hold. low_balance, after a capture: whether the balance was at the threshold or below. Only captured changes anything.';

COMMENT ON FUNCTION "public"."claim_event_deliveries"(text, integer) IS 'Returns at most batch_size deliveries with their events, the longest overdue first; one, now and then, for an address that is down; none for one that is paused or has asked to be left alone. finish_event_delivery ends a claim, with its lease_token. What it says of a person is as of now; user_id is the account that the figures belong to.';

COMMENT ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer) IS 'One row. Either credits or a quantity of the action''s unit; neither is a quantity of 1. outcome: deducted; replayed (the reference was charged before: remaining_credits is what the first call returned); reference_reused (charged before for another request); reference_held (reserved and not captured); account_frozen; action_not_found (unknown, retired, or not priced yet); too_many_credits (more than one call may spend); insufficient_credits (needed_credits exceed remaining_credits, which are besides reserved_credits). low_balance, after a charge: whether the balance was at the threshold or below. Only deducted changes anything.';

COMMENT ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) IS 'http_status: null if there was no answer, and error then says why. delivered: the address answered with 2xx. failed: to be sent again, and not before retry_after_seconds, of which an hour counts. dead: it was sent for the last time. paused: the address answered with 410, and gets nothing more until an operator resumes it. lease_lost: another caller has claimed it since, so nothing changed.';

COMMENT ON FUNCTION "public"."get_user"(text, text, text) IS 'The user of a phone number (E.164) or a WhatsApp user id, created on first contact. One row. outcome: found; rate_limited (too many unknown numbers from caller_address or in total; nothing was created).';

COMMENT ON FUNCTION "public"."hand_out_events"(text[], integer) IS 'urls: the addresses of EVENTS_URL. Returns how many events are no longer new, at most batch_size. Concurrent callers get different ones. An event older than three days is not sent. The queue of an address that has not been named for an hour ends.';

COMMENT ON FUNCTION "public"."list_attention"() IS 'kind: flagged payment (refund it in Razorpay''s dashboard); debt; unfinished refund (call refund-payment again with the same reference); open order (older than 15 minutes, still watched, and somebody tried to pay it); failed delivery; payment of no order (captured money that belongs to no order of ours: until it is booked or refunded, for 30 days); undelivered events (per address: paused by 410, failing for 15 minutes, or given up; or not handed out for 15 minutes); limit reached (a limit for everybody together, until its window ends); broken invariant (found by run_book_check, until it is found no more); books unchecked (run_book_check fails or is no longer called).';

COMMENT ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp with time zone, timestamp with time zone) IS 'One row. Either event_id, or the events from created_from until before created_before, whatever became of them; receivers know them by their id. Addresses that were paused or down are sent to again. outcome: done and replayed, with result {resent}, the number of events (0 if there is no address); reference_reused; event_not_found; too_many_events (more than 10,000). Only done changes anything.';

COMMENT ON TABLE "public"."event_addresses" IS 'How the addresses of EVENTS_URL fare. The setting says which there are: deliver-events names them at every run.';

COMMENT ON TABLE "public"."event_deliveries" IS 'An event on its way to an address.';

COMMENT ON TABLE "public"."events" IS 'What the bot is told, written in the transaction that it tells of. Whoever it is about is joined when it is sent: a row holds no phone number.';

REVOKE ALL ON FUNCTION "private"."low_balance_credits"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."low_balance_credits"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."low_balance_credits"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."tell"(uuid, text, jsonb, uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."tell"(uuid, text, jsonb, uuid) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."tell"(uuid, text, jsonb, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."tell_of_low_balance"(uuid, integer, integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."tell_of_low_balance"(uuid, integer, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."tell_of_low_balance"(uuid, integer, integer) TO "postgres";

REVOKE ALL ON FUNCTION "private"."tell_of_reversal"(uuid, text, text, integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."tell_of_reversal"(uuid, text, text, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."tell_of_reversal"(uuid, text, text, integer) TO "postgres";

REVOKE ALL ON FUNCTION "public"."capture_credits"(text, text, text, integer, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."capture_credits"(text, text, text, integer, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."capture_credits"(text, text, text, integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."claim_event_deliveries"(text, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."claim_event_deliveries"(text, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."claim_event_deliveries"(text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."deduct_credits"(text, integer, text, text, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."finish_event_delivery"(uuid, integer, uuid, integer, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."get_user"(text, text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."get_user"(text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."hand_out_events"(text[], integer) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."hand_out_events"(text[], integer) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."hand_out_events"(text[], integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone) FROM "postgres";

GRANT EXECUTE ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone) TO "postgres";

GRANT EXECUTE ON FUNCTION "public"."resend_events"(text, text, text, uuid, timestamp WITH time zone, timestamp WITH time zone) TO "service_role";

insert into public.settings (name, value) values ('low_balance_credits', 1) on conflict do nothing;
