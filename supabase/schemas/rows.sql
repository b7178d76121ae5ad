-- Rows that belong to the schema. `deno task migration` compares them value by value, so they contain
-- nothing that differs from one database to the next, such as a time or a random id.

insert into public.rate_limits (action, scope, max_count, window_seconds)
values
  ('wrong_secret', 'address', 20, 600),
  ('wrong_secret', 'project', 1000, 600),
  ('create_user', 'address', 30, 3600),
  ('create_user', 'project', 3000, 3600),
  ('create_order', 'address', 60, 3600),
  ('create_order', 'phone', 20, 3600),
  ('create_order', 'owner', 60, 3600),
  ('create_order', 'project', 10000, 3600),
  ('verify_payment', 'address', 120, 60),
  ('verify_payment', 'user', 60, 60),
  ('verify_payment', 'owner', 60, 60),
  ('verify_payment', 'project', 3000, 60);

insert into public.settings (name, value)
values
  ('low_balance_credits', 1),
  ('max_open_holds', 20),
  ('welcome_after_erasure', 0),
  ('webhook_retention_days', 365),
  ('hold_retention_days', 365),
  ('event_retention_days', 90),
  ('unpaid_order_retention_days', 180);

insert into public.action_prices
  (id, action_id, unit, credits, per_quantity, done_message, valid_from)
values
  (1, 'image_generation', 'image', 1, 1, 'Image generated successfully.', '-infinity'),
  (2, 'video_generation', 'video', 5, 1, 'Video generated successfully.', '-infinity'),
  (3, 'voice_message', 'second', 1, 30, 'Voice message generated successfully.', '-infinity'),
  (4, 'chat', 'token', 1, 1000, 'Reply generated successfully.', '-infinity');
