/**
 * What Razorpay holds, read through its own API, with the merchant's key.
 * @module
 */

import { z } from "zod";
import { until } from "../../system/until.ts";
import type { StackEnvironment } from "../../stack/environment.ts";

const payment = z.object({
  id: z.string(),
  order_id: z.string().nullable(),
  status: z.string(),
  amount: z.int(),
});
const refund = z.object({ id: z.string(), payment_id: z.string(), amount: z.int() });
const paymentLink = z.object({ id: z.string(), short_url: z.string() });

/** The parts of a payment that the proof looks at. The amount is in paise. */
export type HeldPayment = z.infer<typeof payment>;

/** The parts of a refund that the proof looks at. The amount is in paise. */
export type HeldRefund = z.infer<typeof refund>;

/** The parts of a payment link that the proof looks at. */
export type HeldPaymentLink = z.infer<typeof paymentLink>;

const PAGE_SIZE = 100;

/** Reads one merchant's books. */
export class RazorpayBooks {
  readonly #environment: StackEnvironment;

  constructor(environment: StackEnvironment) {
    this.#environment = environment;
  }

  /** All payments, newest first. */
  payments(): Promise<HeldPayment[]> {
    return Array.fromAsync(this.#each("payments", z.object({ items: z.array(payment) })));
  }

  /** All refunds, newest first. */
  refunds(): Promise<HeldRefund[]> {
    return Array.fromAsync(this.#each("refunds", z.object({ items: z.array(refund) })));
  }

  /** The payments of one order, newest first. */
  async paymentsOf(orderId: string): Promise<HeldPayment[]> {
    const { items } = z.object({ items: z.array(payment) })
      .parse(await this.#get(`orders/${orderId}/payments`));
    return items;
  }

  /** The payment link at this address, however old; undefined if there is none. */
  async paymentLinkAt(shortUrl: string): Promise<HeldPaymentLink | undefined> {
    const page = z.object({ payment_links: z.array(paymentLink) })
      .transform(({ payment_links }) => ({ items: payment_links }));
    for await (const link of this.#each("payment_links", page)) {
      if (link.short_url === shortUrl) return link;
    }
    return undefined;
  }

  /** Reads page after page, newest first. What is new by then moves the rest on, and hides nothing. */
  async *#each<Item>(path: string, page: z.ZodType<{ items: Item[] }>): AsyncGenerator<Item> {
    for (let skip = 0;; skip += PAGE_SIZE) {
      const { items } = page.parse(await this.#get(`${path}?count=${PAGE_SIZE}&skip=${skip}`));
      yield* items;
      if (items.length < PAGE_SIZE) return;
    }
  }

  /** Asks until there is an answer, because Razorpay may be away or wrong at the moment. */
  async #get(path: string): Promise<unknown> {
    const { RAZORPAY_API_URL, RAZORPAY_KEY_ID, RAZORPAY_KEY_SECRET } = this.#environment;
    const authorization = `Basic ${btoa(`${RAZORPAY_KEY_ID}:${RAZORPAY_KEY_SECRET}`)}`;
    let answer: unknown;
    await until(`Razorpay answers ${path}`, async () => {
      try {
        const response = await fetch(`${RAZORPAY_API_URL}/v1/${path}`, {
          headers: { authorization },
          signal: AbortSignal.timeout(5_000),
        });
        answer = await response.json();
        return response.ok;
      } catch {
        return false;
      }
    });
    return answer;
  }
}
