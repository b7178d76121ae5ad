/**
 * Razorpay as the functions see it: three questions, typed answers and typed failures.
 *
 * The `razorpay` package (2.9.8) sends the requests. It has no timeout, follows redirects, rejects
 * with plain objects, and resolves with a string when the body is not JSON; all of that ends here.
 * @module
 */

import Razorpay from "razorpay";
import { z } from "zod";
import { type RazorpayCredentials, razorpayCredentials } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";

const TIMEOUT_MS = 8_000;

/** Razorpay gave no usable answer. What was asked for may or may not have happened. */
export class GatewayError extends RequestError {
  /**
   * `unavailable`: no answer, a rate limit or a failure of Razorpay's own. `refused`: Razorpay
   * understood and said no. `garbled`: the answer is not what the API promises.
   */
  constructor(readonly kind: "unavailable" | "refused" | "garbled", reason: string) {
    super(kind === "unavailable" ? "GATEWAY_UNAVAILABLE" : "GATEWAY_ERROR", {
      cause: `Razorpay ${kind}: ${reason}`,
    });
  }
}

const order = z.object({
  id: z.string().regex(/^order_[A-Za-z0-9]{14}$/),
  amount: z.int(),
  currency: z.string(),
});

const payment = z.object({
  id: z.string(),
  order_id: z.string().nullable(),
  amount: z.int(),
  currency: z.string(),
  status: z.enum(["created", "authorized", "captured", "refunded", "failed"]),
});

/** The part of Razorpay's payment entity that decides about credits. */
export type GatewayPayment = z.infer<typeof payment>;

/** One Razorpay account, reached with one key. */
export class PaymentGateway {
  readonly keyId: string;
  readonly mode: "test" | "live";
  readonly #razorpay: Razorpay;

  constructor({ keyId, keySecret, mode, apiUrl }: RazorpayCredentials) {
    this.keyId = keyId;
    this.mode = mode;
    this.#razorpay = new Razorpay({ key_id: keyId, key_secret: keySecret });
    // The package offers no options for these, so they are set on its HTTP client. A redirect is
    // never Razorpay's, and must not receive the key.
    Object.assign(httpDefaults(this.#razorpay), {
      baseURL: apiUrl,
      timeout: TIMEOUT_MS,
      maxRedirects: 0,
      adapter: "fetch",
    });
  }

  /**
   * Makes a Razorpay order and returns its id. Razorpay captures its payments by itself, whatever
   * the account's settings say.
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
          // Minutes: 12 is the least, 7200 the most that Razorpay takes.
          capture_options: {
            automatic_expiry_period: 12,
            manual_expiry_period: 7200,
            refund_speed: "normal",
          },
        },
      }));
    if (created.amount !== amountPaise || created.currency !== currency) {
      throw new GatewayError("garbled", "the order was created with another amount");
    }
    return created.id;
  }

  /** @throws {GatewayError} */
  async fetchPayment(paymentId: string): Promise<GatewayPayment> {
    return await ask(payment, () => this.#razorpay.payments.fetch(paymentId));
  }
}

/** The gateway of the configured key. */
export function openGateway(): PaymentGateway {
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
  if (!parsed.success) throw new GatewayError("garbled", "the answer has an unexpected shape");
  return parsed.data;
}

const rejectionWithStatus = z.object({
  statusCode: z.int(),
  error: z.object({ description: z.string() }).optional().catch(undefined),
});

/** A rejection without a status is a request that got no answer: the package hides the reason. */
function failureOf(rejection: unknown): GatewayError {
  const { data } = rejectionWithStatus.safeParse(rejection);
  if (data === undefined) return new GatewayError("unavailable", "no answer");
  const { statusCode, error } = data;
  const kind = statusCode === 429 || statusCode >= 500 ? "unavailable" : "refused";
  return new GatewayError(kind, `HTTP ${statusCode}: ${error?.description ?? "no description"}`);
}

/** The defaults of the axios instance inside the package, which its types do not show. */
function httpDefaults(razorpay: Razorpay): object {
  const { api } = razorpay as unknown as { api: { rq: { defaults: object } } };
  return api.rq.defaults;
}
