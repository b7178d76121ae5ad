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
const paymentLink = z.object({
  id: z.string(),
  short_url: z.string(),
  order_id: z.string().nullish(),
});

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
    return this.#all("payments", z.object({ items: z.array(payment) }));
  }

  /** All refunds, newest first. */
  refunds(): Promise<HeldRefund[]> {
    return this.#all("refunds", z.object({ items: z.array(refund) }));
  }

  /** The payments of one order, newest first. */
  async paymentsOf(orderId: string): Promise<HeldPayment[]> {
    const { items } = z.object({ items: z.array(payment) })
      .parse(await this.#get(`orders/${orderId}/payments`));
    return items;
  }

  /** The newest payment links, newest first. */
  async newestPaymentLinks(): Promise<HeldPaymentLink[]> {
    const { payment_links } = z.object({ payment_links: z.array(paymentLink) })
      .parse(await this.#get(`payment_links?count=${PAGE_SIZE}`));
    return payment_links;
  }

  async #all<Item>(path: string, page: z.ZodType<{ items: Item[] }>): Promise<Item[]> {
    const all: Item[] = [];
    for (;;) {
      const query = `count=${PAGE_SIZE}&skip=${all.length}`;
      const { items } = page.parse(await this.#get(`${path}?${query}`));
      all.push(...items);
      if (items.length < PAGE_SIZE) return all;
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
