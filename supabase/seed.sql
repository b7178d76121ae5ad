-- Sample packages. Edit them here before the first deployment, later in the table itself.
insert into public.packages (id, name, price, credits)
values
  ('starter', 'Starter', 99.00, 20),
  ('popular', 'Popular', 299.00, 75),
  ('pro', 'Pro', 799.00, 250)
on conflict (id) do nothing;
