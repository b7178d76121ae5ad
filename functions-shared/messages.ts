/**
 * The sentences that contracts and handlers share, most of which tell a user their balance.
 * @module
 */

/** `You have 2 credits remaining.`, `You have 1 credit remaining.`, `You have no credits remaining.` */
function creditsRemaining(credits: number): string {
  return `You have ${credits === 0 ? "no credits" : counted(credits)} remaining.`;
}

/**
 * As {@linkcode creditsRemaining}, and what is reserved besides:
 * `You have 15 credits remaining. 5 more are reserved.`
 */
export function creditsOf({ remaining, reserved }: Funds): string {
  if (reserved === 0) return creditsRemaining(remaining);
  if (remaining === 0) return lastCreditsReserved(reserved);
  return `${creditsRemaining(remaining)} ${reserved} more ${
    reserved === 1 ? "is" : "are"
  } reserved.`;
}

/** `Image generated successfully. You have 2 credits remaining.` */
export function done(doneMessage: string, remainingCredits: number): string {
  return `${doneMessage} ${creditsRemaining(remainingCredits)}`;
}

/** `5 credits reserved. You have 15 credits remaining.` */
export function creditsReserved(credits: number, remainingCredits: number): string {
  return `${counted(credits)} reserved. ${creditsRemaining(remainingCredits)}`;
}

/** `5 credits returned. You have 20 credits remaining.` */
export function creditsReturned(credits: number, remainingCredits: number): string {
  return `${counted(credits)} returned. ${creditsRemaining(remainingCredits)}`;
}

/** The sentence when a call needs more credits than remain. */
export function tooFewCredits({ remaining, reserved, needed }: Funds & { needed: number }): string {
  if (remaining === 0 && reserved > 0) return lastCreditsReserved(reserved);
  const besides = reserved === 0
    ? ""
    : ` besides ${reserved} reserved ${reserved === 1 ? "one" : "ones"}`;
  const balance = remaining === 0
    ? "You have no credits left."
    : `You have ${counted(remaining)} left${besides}, and this needs ${needed}.`;
  return `${balance} Please purchase a plan to continue.`;
}

/** What a user can spend, and what is reserved besides. */
interface Funds {
  readonly remaining: number;
  readonly reserved: number;
}

/** A plan would be no help at once: these credits are about to be spent, or come back. */
function lastCreditsReserved(reserved: number): string {
  return reserved === 1
    ? "Your last credit is reserved for what is being made."
    : `Your last ${reserved} credits are reserved for what is being made.`;
}

function counted(credits: number): string {
  return `${credits} ${credits === 1 ? "credit" : "credits"}`;
}

/** The sentence while Razorpay has not confirmed a payment. */
export const PAYMENT_NOT_CONFIRMED =
  "The payment is not confirmed yet. Please ask again in a moment.";

/** The sentence while it is not known whether Razorpay has made a refund. */
export const REFUND_NOT_CONFIRMED =
  "The refund is not confirmed yet. Please repeat the same call in a moment.";
