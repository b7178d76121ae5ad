/**
 * A typed client for the control routes, for tests and the demo.
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
import type { StandInSettings } from "./settings.ts";
import type { WebhookEvent } from "./webhooks.ts";

/** What Checkout hands to the browser after a success. */
export interface CheckoutSuccess {
  readonly razorpay_order_id: string;
  readonly razorpay_payment_id: string;
  readonly razorpay_signature: string;
}

/** What Checkout hands to the browser after a failure. */
interface CheckoutFailure {
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

/** What a payment link's page adds to the callback URL, and the order that it created. */
interface PaymentLinkSuccess extends CheckoutSuccess {
  readonly razorpay_payment_link_id: string;
  readonly razorpay_payment_link_reference_id: string;
  readonly razorpay_payment_link_status: string;
}

/** The parts of the entities that tests look at. Amounts are paise. */
interface PlayedPayment {
  readonly id: string;
  readonly status: string;
  readonly amount: number;
  readonly currency: string;
  readonly order_id: string | null;
}
interface PlayedRefund {
  readonly id: string;
  readonly payment_id: string;
  readonly amount: number;
  readonly status: "pending" | "processed" | "failed";
}
interface PlayedDispute {
  readonly id: string;
  readonly payment_id: string;
  readonly amount: number;
  readonly amount_deducted: number;
  readonly status: "open" | "under_review" | "won" | "lost" | "closed";
}
interface PlayedPaymentLink {
  readonly id: string;
  readonly status: string;
}

type Paid<Chosen extends Outcome, Success> = Chosen extends "failed" ? CheckoutFailure : Success;
type PayWith<Chosen extends Outcome> = PayBody & { readonly outcome: Chosen };

/** Controls a stand-in from outside. Every method throws an Error if the request is rejected. */
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

  /** Expires a payment link early. */
  expirePaymentLink(linkId: string, options: DeliveryBody = {}): Promise<PlayedPaymentLink> {
    return this.#call("POST", `/payment_links/${linkId}/expire`, options);
  }

  /** Plays a payment that belongs to no order. */
  payWithoutOrder(payment: PayWithoutOrderBody): Promise<PlayedPayment> {
    return this.#call("POST", "/payments", payment);
  }

  /** Plays Razorpay, which captures an authorized payment automatically. */
  capture(paymentId: string, options: DeliveryBody = {}): Promise<PlayedPayment> {
    return this.#call("POST", `/payments/${paymentId}/capture`, options);
  }

  /** Plays a refund in the dashboard, or an automatic one. */
  refund(paymentId: string, refund: RefundBody = {}): Promise<PlayedRefund> {
    return this.#call("POST", `/payments/${paymentId}/refund`, refund);
  }

  /** Plays the bank, which completes or fails a refund, or changes its speed. */
  changeRefund(refundId: string, change: RefundChangeBody): Promise<PlayedRefund> {
    return this.#call("POST", `/refunds/${refundId}`, change);
  }

  /** Plays the customer's bank, which asks for the money back. */
  openDispute(paymentId: string, dispute: DisputeBody = {}): Promise<PlayedDispute> {
    return this.#call("POST", `/payments/${paymentId}/dispute`, dispute);
  }

  /** Plays a dispute's next step. */
  changeDispute(disputeId: string, change: DisputeChangeBody): Promise<PlayedDispute> {
    return this.#call("POST", `/disputes/${disputeId}`, change);
  }

  /** Returns all kept events, oldest first. */
  async webhookEvents(): Promise<WebhookEvent[]> {
    const { events } = await this.#call<{ events: WebhookEvent[] }>("GET", "/webhooks");
    return events;
  }

  /** Forgets the events that are not being delivered. */
  async forgetWebhookEvents(): Promise<void> {
    await this.#call("DELETE", "/webhooks");
  }

  /** Emits a new event about an entity as it is now. */
  async emitWebhook(event: EmitBody): Promise<void> {
    await this.#call("POST", "/webhooks/emit", event);
  }

  /** Sends kept events in this order, and returns the ids that they are sent with. */
  async deliverWebhooks(delivery: RedeliveryBody): Promise<string[]> {
    const { event_ids } = await this.#call<{ event_ids: string[] }>(
      "POST",
      "/webhooks/deliver",
      delivery,
    );
    return event_ids;
  }

  /** Waits until no event is being delivered. Throws if that takes longer than the timeout. */
  async webhooksDelivered(options: SettleBody = {}): Promise<void> {
    const { settled } = await this.#call<{ settled: boolean }>("POST", "/webhooks/settle", options);
    if (!settled) throw new Error("webhook events are still on their way");
  }

  /** Returns the settings, except for the secret. */
  settings(): Promise<Omit<StandInSettings, "webhook_secret">> {
    return this.#call("GET", "/settings");
  }

  /** Changes the given settings. */
  changeSettings(change: SettingsBody): Promise<Omit<StandInSettings, "webhook_secret">> {
    return this.#call("PATCH", "/settings", change);
  }

  /** Adds a fault for the next requests that match. */
  addFault(fault: NewFault): Promise<Fault> {
    return this.#call("POST", "/faults", fault);
  }

  /** Returns the faults that still wait for requests. */
  async faults(): Promise<Fault[]> {
    const { faults } = await this.#call<{ faults: Fault[] }>("GET", "/faults");
    return faults;
  }

  async clearFaults(): Promise<void> {
    await this.#call("DELETE", "/faults");
  }

  /** Returns the API requests that arrived, oldest first. */
  async requests(
    filter: { readonly method?: string; readonly path?: string } = {},
  ): Promise<LoggedRequest[]> {
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

  async #call<Body>(method: string, path: string, body?: unknown): Promise<Body> {
    const response = await fetch(`${this.#url}/_control${path}`, {
      method,
      ...(body !== undefined && {
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    });
    const received = await response.json();
    if (!response.ok) {
      throw new Error(
        `${method} /_control${path}: ${received.error?.description ?? response.status}`,
      );
    }
    return received;
  }
}

/** Returns a client for the stand-in at this URL, for example `http://127.0.0.1:54323`. */
export function connectControl(url: string): RazorpayControl {
  return new RazorpayControl(url);
}
