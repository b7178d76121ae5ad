/**
 * What becomes of a purchase after Checkout, which only the backend knows.
 * @module
 */

import type { z } from "zod";
import type { verifyPayment } from "shared/contract/verify-payment.ts";
import { callFunction, isRefusal } from "../common/backend.ts";
import type { Configuration } from "../common/configuration.ts";
import { shared } from "../common/storage.ts";
import type { Account, Package } from "./account.ts";
import type { Paid } from "./checkout.ts";
import type { Proof, Return } from "./proof.ts";

/** A purchase for which Checkout was opened. */
export interface Purchase {
  readonly orderId: string;
  readonly package: Package;
  /** ISO 8601. */
  readonly startedAt: string;
  /** How many entries the history had: credits that arrive afterwards are further ones. */
  readonly entriesBefore: number;
}

/** What the page says about a payment. */
export type Payment =
  | { readonly state: "none" }
  /** It came back from Checkout without a payment that this account knows of. */
  | { readonly state: "returned" }
  | {
    /**
     * Of `underWay`, the backend says so; of `begun`, only this browser does. `pending` is a payment that
     * was asked about often enough.
     */
    readonly state: "open" | "confirming" | "underWay" | "begun" | "pending" | "closed";
    readonly purchase: Purchase;
  }
  | { readonly state: "failed"; readonly reason: string }
  | Ending;

/** How a purchase ended, as far as the backend knows. */
export type Ending =
  | { readonly state: "paid"; readonly credits: number }
  /** The backend refuses to confirm the payment, and a person has to look at it. */
  | { readonly state: "unclear"; readonly paymentId: string };

/** Errors that say something about the payment itself; all others may be over at the next try. */
const FINAL_ERRORS = ["INVALID_SIGNATURE", "ORDER_MISMATCH", "ORDER_NOT_FOUND"] as const;

/** The pauses between two questions, which add up to about a minute and a half. */
const PAUSES_SECONDS = [1, 2, 3, 5, 8, 13, 20, 30];

/** After this, a bank has given up on a payment that nothing was heard of. */
const UNDER_WAY_MS = 15 * 60 * 1000;
const REMEMBERED_MS = 24 * 60 * 60 * 1000;

/** Keeps in mind, for a page that is opened again, that an account is about to pay. */
export function rememberPurchase(userId: string, purchase: Purchase): void {
  shared.write(`purchase-${userId}`, purchase);
}

/** Returns the purchase that an account last began and that has not ended yet, as far as is known. */
function recallPurchase(userId: string): Purchase | undefined {
  const purchase = shared.read<Purchase>(`purchase-${userId}`);
  const isRecent = purchase && Date.now() - Date.parse(purchase.startedAt) < REMEMBERED_MS;
  return isRecent ? purchase : undefined;
}

/** Forgets a purchase that has ended. */
export function forgetPurchase(userId: string): void {
  shared.forget(`purchase-${userId}`);
}

/** Returns the credits of a purchase once they are in the account. */
export function arrivedCredits(
  { entries, total, pendingOrders }: Account,
  { orderId, package: bought, entriesBefore }: Purchase,
): number | undefined {
  if (pendingOrders.some(({ order_id }) => order_id === orderId)) return undefined;
  const entry = entries.slice(0, Math.max(0, total - entriesBefore))
    .find(({ source, credits }) => source === "payment" && credits === bought.credits);
  return entry?.credits;
}

/** Returns what is to be said of payments when a page is opened, which the backend has the last word on. */
export function paymentAtOpening(account: Account, returned: Return | undefined): Payment {
  const recalled = recallPurchase(account.userId);
  const pending = account.pendingOrders.map((order) => ({
    orderId: order.order_id,
    package: order.package,
    startedAt: order.created_at,
    entriesBefore: account.total,
  }));
  const known = [recalled, ...pending];
  const purchase = returned ? known.find((one) => one?.orderId === returned.orderId) : recalled;
  const credits = purchase && arrivedCredits(account, purchase);
  if (credits !== undefined) return { state: "paid", credits };
  if (returned) {
    if (!purchase) return { state: "returned" };
    if (returned.payment === "failed") return { state: "failed", reason: "" };
    return { state: "confirming", purchase };
  }
  // A purchase that was only begun here may be over, while the backend knows of another one.
  const underWay = pending.find(({ orderId }) => orderId === purchase?.orderId) ?? pending[0];
  if (underWay) return { state: "underWay", purchase: underWay };
  const isFresh = purchase && Date.now() - Date.parse(purchase.startedAt) < UNDER_WAY_MS;
  return isFresh ? { state: "begun", purchase } : { state: "none" };
}

/** Asks verify-payment once; undefined while the payment is not confirmed. */
export async function verify(
  configuration: Configuration,
  { headers, phoneNumber }: Proof,
  { package: { id } }: Purchase,
  paid: Paid,
): Promise<Ending | undefined> {
  // The three fields and no others: Checkout may add some of its own.
  const { razorpay_order_id, razorpay_payment_id, razorpay_signature } = paid;
  const body = {
    razorpay_order_id,
    razorpay_payment_id,
    razorpay_signature,
    phone_number: phoneNumber,
    package_id: id,
  };
  const ask = (headers: Proof["headers"]) =>
    callFunction<z.output<(typeof verifyPayment)["data"]>>(configuration, "verify-payment", {
      headers,
      body,
    });
  try {
    // The link may have ended while its customer was paying. The payment needs no proof.
    const { status, data } = await ask(headers).catch((error) => {
      if (isRefusal(error, ["INVALID_PROOF"])) return ask({});
      throw error;
    });
    return status === "SUCCESS" ? { state: "paid", credits: data.credits_added } : undefined;
  } catch (error) {
    if (!isRefusal(error, FINAL_ERRORS)) return undefined;
    return { state: "unclear", paymentId: razorpay_payment_id };
  }
}

/**
 * Asks until there is an answer, slower and slower; undefined if there still is none in the end, or
 * once `signal` is aborted. Somebody who comes back to the page, or online, is not kept waiting.
 */
export async function askRepeatedly<Answer>(
  ask: () => Promise<Answer | undefined>,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  for (const seconds of [...PAUSES_SECONDS, 0]) {
    const answer = await ask().catch(() => undefined);
    if (signal.aborted) return undefined;
    if (answer !== undefined) return answer;
    await pause(seconds, signal);
    if (signal.aborted) return undefined;
  }
  return undefined;
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const finish = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(finish, seconds * 1000);
    const options = { signal: over.signal };
    addEventListener("online", finish, options);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) finish();
    }, options);
    signal.addEventListener("abort", finish, options);
  });
}
