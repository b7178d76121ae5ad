-- In a migration of its own, because calls wait while users are locked: a migration that locked two
-- of the busiest tables could meet a call that has locked them the other way around.
set local lock_timeout = '2s';

ALTER TABLE "public"."adjustments"
  ADD CONSTRAINT "adjustments_user_id_fkey" FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE "public"."events"
  ADD CONSTRAINT "events_user_id_fkey" FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE "public"."operator_actions"
  ADD CONSTRAINT "operator_actions_user_id_fkey" FOREIGN KEY (user_id) REFERENCES public.users(id);
