-- Writes an event for the bot, in the transaction of what it tells of.
create function private.tell(
  user_id uuid,
  type text,
  data jsonb default '{}',
  order_id uuid default null
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.events
    (user_id, order_id, type, data, credits, remaining_credits, sequence_number)
  select u.id, tell.order_id, tell.type, tell.data, u.credits,
    case when u.id is not null then private.remaining_credits(u) end, u.transaction_count
  from (values (tell.user_id)) about (user_id)
  left join public.users u on u.id = about.user_id
  left join public.payment_orders o on o.id = tell.order_id
  -- There is nobody to tell it to any more.
  where u.erased_at is null and o.erased_at is null;
end;
$$;

comment on function private.tell is
  'To be called after everything has changed that the event tells of. The user, who is locked, may be null if there is an order: it tells whom the event is about. Nothing is told about somebody who was erased.';
