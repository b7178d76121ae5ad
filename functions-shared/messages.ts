/**
 * The sentences that tell a balance to a person.
 * @module
 */

/** `You have 2 credits remaining.`, `You have 1 credit remaining.`, `You have no credits remaining.` */
export function creditsRemaining(credits: number): string {
  if (credits === 0) return "You have no credits remaining.";
  return `You have ${credits} ${credits === 1 ? "credit" : "credits"} remaining.`;
}

/** The refusal of a deduction of `needed` credits on a balance of `credits`. */
export function tooFewCredits(credits: number, needed: number): string {
  const balance = credits === 0
    ? "You have no credits left."
    : `You have ${credits} ${credits === 1 ? "credit" : "credits"} left, and this needs ${needed}.`;
  return `${balance} Please purchase a plan to continue.`;
}
