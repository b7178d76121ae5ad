-- Returns a user's profile and balance, and creates the user on first contact.
create function public.get_user(
  phone_number text default null,
  whatsapp_user_id text default null,
  caller_address text default null,
  identity_hashes text[] default null,
  link_user_id uuid default null,
  with_pending_orders boolean default false
)
returns table (
  outcome text,
  user_id uuid,
  credits integer,
  created_at timestamptz,
  retry_after_seconds integer,
  remaining_credits integer,
  reserved_credits integer,
  low_balance boolean,
  is_frozen boolean,
  pending_orders jsonb
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '3s'
set statement_timeout = '4s'
as $$
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
$$;

comment on function public.get_user is
  'The user of a phone number (E.164) or a WhatsApp user id, created on first contact. One row. link_user_id: the user that the caller''s link was made for. pending_orders: see private.pending_orders; null unless asked for. outcome: found; link_is_void (that user was erased); rate_limited (too many unknown numbers from caller_address or in total; nothing was created); identity_hashes_needed (see private.is_welcome; nothing was created or counted).';
