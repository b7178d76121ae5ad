/**
 * Who may call a function, and who may read of everybody: by what a request presents, which is compared
 * with what was given out, not with what the backend makes of it.
 * @module
 */

import type { Attempt } from "./requests.ts";
import { sign, type World } from "./world.ts";

/** Whether sessions of operators without a second factor are taken. */
export interface SecondFactor {
  readonly isRequired: boolean;
}

/** Whether a request presents what its function asks for. Functions of owners and pages ask for nothing here. */
export function mayCall(attempt: Attempt, world: World, secondFactor: SecondFactor): boolean {
  const { operation: { caller, operatorRole }, body } = attempt;
  const { environment } = world.target;
  switch (caller) {
    case "bot":
      return presents(attempt, [environment.BOT_SECRET]);
    case "operator":
      return presents(attempt, [
        environment.SUPABASE_SECRET_KEY,
        ...operatorRole ? ownersOf(world, secondFactor) : [],
        ...operatorRole === "support" ? [world.operators.support] : [],
      ]);
    case "razorpay":
      return presents(attempt, [
        sign(body ?? new Uint8Array(), environment.RAZORPAY_WEBHOOK_SECRET),
      ]);
    default:
      return true;
  }
}

/** Whether a request presents a secret or a session whose holder may read of everybody. */
export function mayReadOfEverybody(
  attempt: Attempt,
  world: World,
  secondFactor: SecondFactor,
): boolean {
  const { environment } = world.target;
  return presents(attempt, [
    environment.BOT_SECRET,
    environment.SUPABASE_SECRET_KEY,
    ...ownersOf(world, secondFactor),
    world.operators.support,
  ]);
}

function ownersOf({ operators }: World, { isRequired }: SecondFactor): string[] {
  return [operators.owner, ...isRequired ? [] : [operators.withoutSecondFactor]];
}

function presents({ headers }: Attempt, secrets: readonly string[]): boolean {
  return headers.some(([, value]) => secrets.includes(value.replace(/^Bearer /, "")));
}
