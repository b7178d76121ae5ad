/**
 * Razorpay as the functions see it: a few requests, typed responses and typed failures.
 *
 * The `razorpay` package (2.9.8) sends the requests. It has no timeout, follows redirects, rejects
 * with plain objects, and resolves with a string if the body is not JSON; this module hides all of
 * that.
 * @module
 */

import Razorpay from "razorpay";
import { z } from "zod";
import { type RazorpayCredentials, razorpayCredentials } from "shared/environment.ts";
import {
  type GatewayOrder,
  type GatewayPayment,
  type GatewayPaymentLink,
  type GatewayRefund,
  order,
  payment,
  paymentLink,
  refund,
} from "shared/razorpay/entities.ts";
import { GatewayError } from "shared/razorpay/gateway-error.ts";

/** How long Razorpay may take. The caller's page or bot waits meanwhile. */
const TIMEOUT_MS = 8_000;

const collectionOf = <Item extends z.ZodType>(item: Item) => z.object({ items: z.array(item) });

/** One Razorpay account, reached with one key. */
export class PaymentGateway {
  readonly keyId: string;
  readonly mode: "test" | "live";
  readonly #credentials: RazorpayCredentials;
  readonly #razorpay: Razorpay;

  constructor(credentials: RazorpayCredentials) {
    this.keyId = credentials.keyId;
    this.mode = credentials.mode;
    this.#credentials = credentials;
    this.#razorpay = connect(credentials);
  }

  /**
   * Creates a Razorpay order and returns its id. Razorpay captures its payments automatically,
   * regardless of the account's settings.
   *
   * @throws {GatewayError}
   */
  async createOrder(
    { amountPaise, currency, receipt }: { amountPaise: number; currency: string; receipt: string },
  ): Promise<string> {
    const created = await ask(order, () =>
      this.#razorpay.orders.create({
        amount: amountPaise,
        currency,
        receipt,
        payment: {
          capture: "automatic",
          // Minutes: Razorpay accepts 12 to 7200.
          capture_options: {
            automatic_expiry_period: 12,
            manual_expiry_period: 7200,
            refund_speed: "normal",
          },
        },
      }));
    if (created.amount !== amountPaise || created.currency !== currency) {
      throw new GatewayError("invalid", "the order was created with another amount");
    }
    return created.id;
  }

  /** @throws {GatewayError} */
  async fetchOrder(orderId: string): Promise<GatewayOrder> {
    return await ask(order, () => this.#razorpay.orders.fetch(orderId));
  }

  /** Returns every payment that was attempted on an order, failed ones too. @throws {GatewayError} */
  async fetchOrderPayments(orderId: string): Promise<GatewayPayment[]> {
    const { items } = await ask(
      collectionOf(payment),
      () => this.#razorpay.orders.fetchPayments(orderId),
    );
    return items;
  }

  /** @throws {GatewayError} */
  async fetchPayment(paymentId: string): Promise<GatewayPayment> {
    return await ask(payment, () => this.#razorpay.payments.fetch(paymentId));
  }

  /** @throws {GatewayError} */
  async fetchRefunds(paymentId: string): Promise<GatewayRefund[]> {
    const { items } = await ask(
      collectionOf(refund),
      () => this.#razorpay.payments.fetchMultipleRefund(paymentId, { count: 100 }),
    );
    return items;
  }

  /**
   * Returns money of a payment, once for each `key`, which is also the refund's receipt.
   *
   * @throws {GatewayError} `refused` only if no refund has this key. Otherwise one may have been made,
   * and the same call finds it.
   */
  async refundPayment(
    { paymentId, amountPaise, key }: {
      paymentId: string;
      amountPaise: number;
      /** 10 to 40 characters of A-Z, a-z, 0-9, - and _. */
      key: string;
    },
  ): Promise<GatewayRefund> {
    const earlier = await this.#findRefund(paymentId, key);
    if (earlier !== undefined) return earlier;
    // The package sends no other header with a single request.
    const razorpay = connect(this.#credentials, { "x-refund-idempotency": key });
    try {
      return await ask(
        refund,
        () => razorpay.payments.refund(paymentId, { amount: amountPaise, receipt: key }),
      );
    } catch (error) {
      // The response to an earlier attempt was lost, and its refund was not listed yet.
      const made = error instanceof GatewayError && error.kind === "refused"
        ? await this.#findRefund(paymentId, key)
        : undefined;
      if (made !== undefined) return made;
      throw error;
    }
  }

  async #findRefund(paymentId: string, key: string): Promise<GatewayRefund | undefined> {
    return (await this.fetchRefunds(paymentId)).find(({ receipt }) => receipt === key);
  }

  /**
   * Creates a payment link for one full payment. Razorpay sends nothing to the customer: the bot
   * posts the link in the chat. If the reference has a link already, that link is returned.
   *
   * @throws {GatewayError}
   */
  async createPaymentLink(
    { amountPaise, currency, phoneNumber, description, reference, expiresAt }: {
      amountPaise: number;
      currency: string;
      /** Filled in on the payment page. */
      phoneNumber: string | undefined;
      description: string;
      /** At most 40 characters, and never used before within the Razorpay account. */
      reference: string;
      /** At least 15 minutes ahead. */
      expiresAt: Date;
    },
  ): Promise<GatewayPaymentLink> {
    try {
      return await ask(paymentLink, () =>
        this.#razorpay.paymentLink.create({
          amount: amountPaise,
          currency,
          customer: phoneNumber === undefined ? {} : { contact: phoneNumber },
          description,
          reference_id: reference,
          expire_by: Math.floor(expiresAt.getTime() / 1000),
          accept_partial: false,
          notify: { sms: false, email: false },
          reminder_enable: false,
        }));
    } catch (error) {
      // The response to an earlier attempt was lost, or two attempts ran at once.
      const existing = error instanceof GatewayError && error.kind === "refused"
        ? await this.#findPaymentLink(reference)
        : undefined;
      if (existing?.amount === amountPaise) return existing;
      throw error;
    }
  }

  /** @throws {GatewayError} */
  async fetchPaymentLink(paymentLinkId: string): Promise<GatewayPaymentLink> {
    return await ask(paymentLink, () => this.#razorpay.paymentLink.fetch(paymentLinkId));
  }

  /** Reports differ on whether Razorpay's own filter works, so the reference is compared here. */
  async #findPaymentLink(reference: string): Promise<GatewayPaymentLink | undefined> {
    const filter = { reference_id: reference, count: 100 };
    const { payment_links } = await ask(
      z.object({ payment_links: z.array(paymentLink) }),
      () => this.#razorpay.paymentLink.all(filter),
    );
    return payment_links.find(({ reference_id }) => reference_id === reference);
  }
}

function connect(
  { keyId, keySecret, apiUrl }: RazorpayCredentials,
  headers: Record<string, string> = {},
): Razorpay {
  const razorpay = new Razorpay({ key_id: keyId, key_secret: keySecret });
  // The package has no options for these, so they are set on its HTTP client. Razorpay never redirects,
  // and a redirect must not receive the key.
  const defaults = httpDefaults(razorpay);
  Object.assign(defaults, {
    baseURL: apiUrl,
    timeout: TIMEOUT_MS,
    maxRedirects: 0,
    adapter: "fetch",
  });
  Object.assign(defaults.headers, headers);
  return razorpay;
}

/** Returns the gateway for the configured key. @throws {ConfigurationError} */
export function createGateway(): PaymentGateway {
  return new PaymentGateway(razorpayCredentials());
}

async function ask<Answer>(
  schema: z.ZodType<Answer>,
  request: () => Promise<unknown>,
): Promise<Answer> {
  let answer: unknown;
  try {
    answer = await request();
  } catch (rejection) {
    throw failureOf(rejection);
  }
  const parsed = schema.safeParse(answer);
  if (!parsed.success) throw new GatewayError("invalid", "the response has an unexpected shape");
  return parsed.data;
}

const rejectionWithStatus = z.object({
  statusCode: z.int(),
  error: z.object({ description: z.string() }).optional().catch(undefined),
});

/** A rejection without a status means no response: the package hides the reason. */
function failureOf(rejection: unknown): GatewayError {
  const { data } = rejectionWithStatus.safeParse(rejection);
  if (data === undefined) return new GatewayError("unavailable", "no response");
  const { statusCode, error } = data;
  return new GatewayError(
    kindOf(statusCode),
    `HTTP ${statusCode}: ${error?.description ?? "no description"}`,
  );
}

function kindOf(statusCode: number): GatewayError["kind"] {
  if (statusCode === 401 || statusCode === 403) return "denied";
  // 409: the same request is still at work.
  if (statusCode === 409 || statusCode === 429 || statusCode >= 500) return "unavailable";
  return statusCode >= 400 ? "refused" : "invalid";
}

/** The defaults of the axios instance inside the package, which its types do not show. */
function httpDefaults(razorpay: Razorpay): { headers: object } {
  const { api } = razorpay as unknown as { api: { rq: { defaults: { headers: object } } } };
  return api.rq.defaults;
}
