/**
 * Razorpay's Checkout: loaded when somebody is about to buy, and opened in the tap that buys.
 * @module
 */

import type { z } from "zod";
import type { createOrder } from "shared/contract/create-order.ts";
import type { Configuration } from "../common/configuration.ts";

/** An order of create-order, which Checkout takes the money for. */
export type Order = z.output<(typeof createOrder)["data"]>;

/** What Checkout returns for a payment. */
export interface Paid {
  readonly razorpay_order_id: string;
  readonly razorpay_payment_id: string;
  readonly razorpay_signature: string;
}

/** How Checkout ends where it does not leave the page. */
export interface CheckoutEnds {
  paid(payment: Paid): void;
  /** A payment failed, for this reason. Checkout stays open for another try. */
  failed(reason: string): void;
  /** Checkout was closed. A payment that the customer approved may still arrive. */
  closed(): void;
}

/** What the script defines. */
export type Razorpay = new (options: object) => {
  on(event: "payment.failed", act: (failure: { error?: { description?: string } }) => void): void;
  open(): void;
};

/** Banks give up after 3 to 15 minutes. */
const TIMEOUT_SECONDS = 15 * 60;
const LOADING_MS = 20_000;

let loading: Promise<Razorpay> | undefined;

/**
 * Loads the script once. After a failure, the next call tries again.
 *
 * @throws {Error} if it is blocked, or does not come.
 */
export function loadCheckout({ checkout_url }: Configuration): Promise<Razorpay> {
  loading ??= new Promise<Razorpay>((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: checkout_url });
    const finish = () => {
      const { Razorpay } = globalThis as { Razorpay?: Razorpay };
      if (Razorpay) resolve(Razorpay);
      else reject(new Error("Checkout did not load"));
    };
    script.onload = finish;
    script.onerror = finish;
    setTimeout(finish, LOADING_MS);
    document.head.append(script);
  }).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/**
 * Opens Checkout. Has to run in the tap itself, because browsers block a bank's window that is opened
 * later.
 */
export function openCheckout(
  Razorpay: Razorpay,
  { order, configuration, phoneNumber, description, color, ends }: {
    order: Order;
    configuration: Configuration;
    phoneNumber: string;
    description: string;
    /** The color of Checkout's own header and buttons. */
    color: string;
    ends: CheckoutEnds;
  },
): void {
  const checkout = new Razorpay({
    key: order.key_id,
    order_id: order.order_id,
    amount: order.amount,
    currency: order.currency,
    name: configuration.seller_name,
    description,
    prefill: { contact: phoneNumber },
    readonly: { contact: true },
    handler: ends.paid,
    // For browsers in which Checkout has to leave the page, which it decides by itself.
    callback_url: new URL("/functions/v1/payment-return", configuration.supabase_url).href,
    timeout: TIMEOUT_SECONDS,
    modal: {
      ondismiss: ends.closed,
      confirm_close: true,
      escape: true,
      backdropclose: false,
      handleback: true,
    },
    theme: { color },
    config: {
      display: {
        language: document.documentElement.lang,
        // Paying by typing a UPI address ended in 2026; apps and QR codes stay.
        hide: [{ method: "upi", flows: ["collect"] }],
      },
    },
  });
  checkout.on("payment.failed", ({ error }) => ends.failed(error?.description ?? ""));
  checkout.open();
}
