-- In a migration of its own, because calls wait while users are locked: a migration that locked two
-- of the busiest tables could meet a call that has locked them the other way around.
set local lock_timeout = '2s';

ALTER TABLE "public"."users"
  ADD COLUMN "held_credits" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."users"
  ADD COLUMN "open_holds" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."users"
  ADD COLUMN "next_hold_expiry_at" timestamp WITH time zone;

ALTER TABLE "public"."users"
  ADD COLUMN "has_merged" boolean NOT NULL DEFAULT false;

ALTER TABLE "public"."users"
  ADD COLUMN "frozen_at" timestamp WITH time zone;

ALTER TABLE "public"."users"
  ADD COLUMN "erased_at" timestamp WITH time zone;

ALTER TABLE "public"."users"
  ADD COLUMN "is_without_welcome" boolean NOT NULL DEFAULT false;

ALTER TABLE "public"."users"
  ADD CONSTRAINT "a_user_with_open_holds_says_how_many_and_until_when" CHECK ((((held_credits > 0) = (open_holds > 0)) AND ((open_holds > 0) = (next_hold_expiry_at IS NOT NULL)))) NOT VALID;

ALTER TABLE "public"."users"
  ADD CONSTRAINT "an_erased_user_has_no_number_and_nothing_reserved" CHECK (((erased_at IS NULL) OR ((phone_number IS NULL) AND (open_holds = 0)))) NOT VALID;

ALTER TABLE "public"."users"
  ADD CONSTRAINT "held_credits_are_part_of_the_balance" CHECK (((held_credits >= 0) AND (held_credits <= credits))) NOT VALID;
