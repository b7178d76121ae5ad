-- What calls during a merge have left on the merged account follows to the account that stays. In a
-- migration of its own, because a merge waits for deductions, which must not wait for a table's lock.
select public.merge_users(u.id, u.merged_into)
from public.users u
where u.merged_into is not null
  and (
    u.credits > 0
    or u.debt_credits > 0
    or exists (select from public.identities i where i.user_id = u.id)
    or exists (select from public.payment_orders o where o.user_id = u.id)
    or exists (select from public.order_references r where r.user_id = u.id)
  );
