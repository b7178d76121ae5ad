/**
 * The sentences that contracts and handlers share, most of which tell a user their balance.
 * @module
 */

/** `You have 2 credits remaining.`, `You have 1 credit remaining.`, `You have no credits remaining.` */
export function creditsRemaining(credits: number): string {
  if (credits === 0) return "You have no credits remaining.";
  return `You have ${credits} ${credits === 1 ? "credit" : "credits"} remaining.`;
}

/** `Image generated successfully. You have 2 credits remaining.` */
export function imageGenerated(remainingCredits: number): string {
  return `Image generated successfully. ${creditsRemaining(remainingCredits)}`;
}

/** The sentence when `needed` credits cannot be deducted from a balance of `credits`. */
export function tooFewCredits(credits: number, needed: number): string {
  const balance = credits === 0
    ? "You have no credits left."
    : `You have ${credits} ${credits === 1 ? "credit" : "credits"} left, and this needs ${needed}.`;
  return `${balance} Please purchase a plan to continue.`;
}

/** The sentence while Razorpay has not confirmed a payment. */
export const PAYMENT_NOT_CONFIRMED =
  "The payment is not confirmed yet. Please ask again in a moment.";
