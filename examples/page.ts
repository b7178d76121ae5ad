/**
 * What a web page does with this backend: it shows the account and its history, lists the prices and the
 * packages, and sells a package through Razorpay Checkout.
 *
 * The page loads https://checkout.razorpay.com/v1/checkout.js, which defines `Razorpay`.
 * @module
 */

import { createClient, FunctionsHttpError } from "@supabase/supabase-js";

declare const Razorpay: new (options: object) => {
  on(event: "payment.failed", act: (failure: { error: { description: string } }) => void): void;
  open(): void;
};

/** What can become of a purchase once Checkout is open. */
export interface Outcome {
  /** The credits are there (`SUCCESS`), or will arrive automatically in a while (`PENDING`). */
  done(answer: { status: "SUCCESS" | "PENDING"; message: string }): void;
  failed(error: unknown): void;
  /** A payment failed, for this reason. Checkout stays open, and the customer can try again. */
  refused(reason: string): void;
  /** The customer closed Checkout. A payment that is under way may still arrive. */
  closed(): void;
}

interface CallOptions {
  method?: "GET";
  body?: Record<string, string>;
}

/** `pageUrl` is the address that the page was opened with: the bot's link carries a token there. */
export function openPage(supabaseUrl: string, publishableKey: string, pageUrl: string) {
  const supabase = createClient(supabaseUrl, publishableKey);
  const token = new URLSearchParams(new URL(pageUrl).hash.slice(1)).get("access_token");
  // A user who has signed in needs no token: supabase-js sends the session.
  const headers: Record<string, string> = token ? { "x-access-token": token } : {};

  /** Returns the envelope. Throws that of an error, so that its `code` and `message` can be shown. */
  async function callBackend(path: string, options: CallOptions) {
    const { data, error } = await supabase.functions.invoke(path, { headers, ...options });
    if (!error) return data;
    // Every status but 2xx ends up here, with the response unread.
    if (error instanceof FunctionsHttpError) throw await error.context.json();
    throw error;
  }

  async function loadProfile(phone: string) {
    const path = `users/${encodeURIComponent(phone)}`;
    const { data: profile } = await callBackend(path, { method: "GET" });
    const { data: history } = await callBackend(`credit-history/${profile.id}?limit=20`, {
      method: "GET",
    });
    return { ...profile, history: history.transactions };
  }

  async function loadPackages() {
    const columns = "id, name, price, credits";
    const { data, error } = await supabase.from("packages").select(columns).order("price");
    if (error) throw error;
    return data.map((item) => ({ ...item, price: Number(item.price) }));
  }

  /** What each action costs now: `credits` for each started `per_quantity` of its unit. */
  async function loadPrices() {
    const columns = "action_id, unit, credits, per_quantity, minimum_credits";
    const { data, error } = await supabase.from("action_prices").select(columns).order("action_id");
    if (error) throw error;
    return data;
  }

  async function buy(phone: string, packageId: string, outcome: Outcome) {
    const purchase = { phone_number: phone, package_id: packageId };
    const { data: order } = await callBackend("create-order", { body: purchase });
    const checkout = new Razorpay({
      key: order.key_id,
      order_id: order.order_id,
      amount: order.amount,
      currency: order.currency,
      name: "Image bot",
      description: `${order.package.credits} credits`,
      prefill: { contact: phone },
      // The three razorpay_ fields are passed on as they come.
      handler: (paid: Record<string, string>) => {
        verify({ ...paid, ...purchase }).then(outcome.done, outcome.failed);
      },
      modal: { ondismiss: outcome.closed },
    });
    checkout.on("payment.failed", ({ error }) => outcome.refused(error.description));
    checkout.open();
  }

  /** While the payment is not confirmed, asks a few times and then leaves it to the webhook. */
  async function verify(report: Record<string, string>) {
    for (let attempt = 1;; attempt++) {
      const answer = await callBackend("verify-payment", { body: report });
      if (answer.status !== "PENDING" || attempt === 5) return answer;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }

  return { loadProfile, loadPackages, loadPrices, buy };
}
