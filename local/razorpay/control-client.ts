/**
 * A typed client of the control routes, for tests and the demo.
 * @module
 */

import type { Outcome } from "./checkout.ts";
import type {
  DeliveryBody,
  DisputeBody,
  DisputeChangeBody,
  EmitBody,
  PayBody,
  PayWithoutOrderBody,
  RedeliveryBody,
  RefundBody,
  RefundChangeBody,
  SettingsBody,
  SettleBody,
} from "./control.ts";
import type { Fault, NewFault } from "./faults.ts";
import type { LoggedRequest } from "./request-log.ts";
import type { Settings } from "./settings.ts";
import type { WebhookEvent } from "./webhooks.ts";

/** What Checkout hands to the browser after a success. */
export interface CheckoutSuccess {
  readonly razorpay_order_id: string;
  readonly razorpay_payment_id: string;
  readonly razorpay_signature: string;
}

/** What Checkout tells the browser after a failure. */
export interface CheckoutFailure {
  readonly razorpay_order_id: string;
  readonly razorpay_payment_id: string;
  readonly error: {
    code: string;
    description: string;
    source: string;
    step: string;
    reason: string;
    metadata: { order_id: string; payment_id: string };
  };
}

/** What a payment link's page adds to the callback URL, and the order that it made. */
export interface PaymentLinkSuccess extends CheckoutSuccess {
  readonly razorpay_payment_link_id: string;
  readonly razorpay_payment_link_reference_id: string;
  readonly razorpay_payment_link_status: string;
}

/** The part of an entity that tests look at. Amounts are paise. */
export interface PlayedPayment {
  readonly id: string;
  readonly status: string;
  readonly amount: number;
  readonly currency: string;
  readonly order_id: string | null;
}
export interface PlayedRefund {
  readonly id: string;
  readonly payment_id: string;
  readonly amount: number;
  readonly status: "pending" | "processed" | "failed";
}
export interface PlayedDispute {
  readonly id: string;
  readonly payment_id: string;
  readonly amount: number;
  readonly amount_deducted: number;
  readonly status: "open" | "under_review" | "won" | "lost" | "closed";
}
export interface PlayedPaymentLink {
  readonly id: string;
  readonly status: string;
}

type Paid<Chosen extends Outcome, Success> = Chosen extends "failed" ? CheckoutFailure : Success;
type PayWith<Chosen extends Outcome> = PayBody & { outcome: Chosen };

/** The stand-in, steered from outside. Every method throws an Error when it is refused. */
export class RazorpayControl {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Plays the customer on an order's Checkout. */
  payOrder<Chosen extends Outcome>(
    orderId: string,
    payment: PayWith<Chosen>,
  ): Promise<Paid<Chosen, CheckoutSuccess>> {
    return this.#call("POST", `/orders/${orderId}/pay`, payment);
  }

  /** Plays the customer on a payment link's page. */
  payPaymentLink<Chosen extends Outcome>(
    linkId: string,
    payment: PayWith<Chosen>,
  ): Promise<Paid<Chosen, PaymentLinkSuccess>> {
    return this.#call("POST", `/payment_links/${linkId}/pay`, payment);
  }

  /** Ends a payment link before its time. */
  expirePaymentLink(linkId: string, options: DeliveryBody = {}): Promise<PlayedPaymentLink> {
    return this.#call("POST", `/payment_links/${linkId}/expire`, options);
  }

  /** A payment that belongs to no order. */
  payWithoutOrder(payment: PayWithoutOrderBody): Promise<PlayedPayment> {
    return this.#call("POST", "/payments", payment);
  }

  /** Razorpay captures an authorised payment by itself. */
  capture(paymentId: string, options: DeliveryBody = {}): Promise<PlayedPayment> {
    return this.#call("POST", `/payments/${paymentId}/capture`, options);
  }

  /** Somebody refunds in the dashboard, or Razorpay does by itself. */
  refund(paymentId: string, refund: RefundBody = {}): Promise<PlayedRefund> {
    return this.#call("POST", `/payments/${paymentId}/refund`, refund);
  }

  /** The bank finishes or fails a refund, or its speed changes. */
  changeRefund(refundId: string, change: RefundChangeBody): Promise<PlayedRefund> {
    return this.#call("POST", `/refunds/${refundId}`, change);
  }

  /** The customer's bank asks for the money back. */
  openDispute(paymentId: string, dispute: DisputeBody = {}): Promise<PlayedDispute> {
    return this.#call("POST", `/payments/${paymentId}/dispute`, dispute);
  }

  /** A dispute's next step. */
  changeDispute(disputeId: string, change: DisputeChangeBody): Promise<PlayedDispute> {
    return this.#call("POST", `/disputes/${disputeId}`, change);
  }

  /** All kept events, oldest first. */
  async webhookEvents(): Promise<WebhookEvent[]> {
    const { events } = await this.#call<{ events: WebhookEvent[] }>("GET", "/webhooks");
    return events;
  }

  /** Forgets the events that are not on their way. */
  async forgetWebhookEvents(): Promise<void> {
    await this.#call("DELETE", "/webhooks");
  }

  /** Emits an event about an entity as it is now, with an event id of its own. */
  async emitWebhook(event: EmitBody): Promise<void> {
    await this.#call("POST", "/webhooks/emit", event);
  }

  /** Sends kept events, in this order, and returns the ids that they are sent under. */
  async deliverWebhooks(delivery: RedeliveryBody): Promise<string[]> {
    const { event_ids } = await this.#call<{ event_ids: string[] }>(
      "POST",
      "/webhooks/deliver",
      delivery,
    );
    return event_ids;
  }

  /** Waits until no event is on its way. Throws if that takes longer than the timeout. */
  async settleWebhooks(options: SettleBody = {}): Promise<void> {
    const { settled } = await this.#call<{ settled: boolean }>("POST", "/webhooks/settle", options);
    if (!settled) throw new Error("webhook events are still on their way");
  }

  /** The settings but the secret. */
  settings(): Promise<Omit<Settings, "webhook_secret">> {
    return this.#call("GET", "/settings");
  }

  /** Changes the settings that are named. */
  changeSettings(change: SettingsBody): Promise<Omit<Settings, "webhook_secret">> {
    return this.#call("PATCH", "/settings", change);
  }

  /** Orders a fault for the next requests that match. */
  addFault(fault: NewFault): Promise<Fault> {
    return this.#call("POST", "/faults", fault);
  }

  /** The faults in waiting. */
  async faults(): Promise<Fault[]> {
    const { faults } = await this.#call<{ faults: Fault[] }>("GET", "/faults");
    return faults;
  }

  async clearFaults(): Promise<void> {
    await this.#call("DELETE", "/faults");
  }

  /** The API requests that arrived, oldest first. */
  async requests(filter: { method?: string; path?: string } = {}): Promise<LoggedRequest[]> {
    const query = new URLSearchParams(filter);
    const { requests } = await this.#call<{ requests: LoggedRequest[] }>(
      "GET",
      `/requests?${query}`,
    );
    return requests;
  }

  async clearRequests(): Promise<void> {
    await this.#call("DELETE", "/requests");
  }

  async #call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${this.#url}/_control${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    if (!response.ok) {
      throw new Error(
        `${method} /_control${path}: ${answer.error?.description ?? response.status}`,
      );
    }
    return answer;
  }
}

/** Steers the stand-in at this URL, for example `http://127.0.0.1:54323`. */
export function connectControl(url: string): RazorpayControl {
  return new RazorpayControl(url);
}
