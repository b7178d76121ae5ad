/**
 * A model of the shop: random plans of everything that can happen to payments are played through the
 * real functions, and what the users have in the end is compared with what Razorpay says they paid.
 *
 * The model knows one rule: a user has the free credits, plus what each order promised in proportion
 * to the money that was kept for it, minus what was spent; anything below zero is a debt.
 * @module
 */

import { ok } from "node:assert/strict";
import fc from "fast-check";
import { z } from "zod";
import type { WebhookEvent } from "../../local/razorpay/webhooks.ts";
import { assertBooksAreRight } from "./backend.ts";
import { type Answer, call, dataOf } from "./calls.ts";
import { newPhoneNumber } from "./phone-numbers.ts";
import { orderPackage, signedCheckout, verify } from "./purchases.ts";
import { KillableWorker } from "./killable-worker.ts";
import {
  accountOf,
  deliver,
  FREE_CREDITS,
  PACKAGES,
  type PaymentHarness,
  runReconciler,
  settleByHand,
} from "./payment-harness.ts";
import { one } from "./lists.ts";
import { basicAuthorization } from "./razorpay-auth.ts";

type PackageId = keyof typeof PACKAGES;

/** A report to our functions. It may come at any time, along with others, and may be cut off. */
type Report =
  | { kind: "verify"; payment: number }
  | { kind: "deliver"; events: number[] }
  | { kind: "reconcile" }
  | { kind: "settle by hand"; order: number }
  | { kind: "spend"; user: number; credits: number };

/**
 * Something that happens at Razorpay or that we begin. Numbers choose among the users, orders and
 * payments that exist by then.
 */
type Happening =
  | { kind: "order"; user: number; packageId: PackageId }
  | { kind: "order, cut off"; user: number }
  | { kind: "link"; user: number }
  | { kind: "pay"; order: number; outcome: "captured" | "failed" | "authorized"; wrongly: boolean }
  | { kind: "pay again"; order: number; outcome: "captured" | "late_authorized" }
  | { kind: "go on"; payment: number }
  | { kind: "refund"; payment: number; share: number; status: "processed" | "pending" }
  | { kind: "end refund"; refund: number; status: "processed" | "failed" }
  | { kind: "dispute"; payment: number; share: number; steps: readonly DisputeStep[] }
  | { kind: "move dispute"; dispute: number; status: DisputeStep };

type DisputeStep = "under_review" | "lost" | "won" | "closed";

/** One step of a plan. */
export type Action =
  | Happening
  | Report
  | { kind: "together"; reports: Report[] }
  | { kind: "killed"; step: number; carriedOut: boolean; report: Report };

const index = fc.nat(11);
const share = fc.constantFrom(1, 1, 0.5, 1 / 3, 0.7);
const kind = <Kind extends Action["kind"]>(name: Kind) => fc.constant(name);

const report: fc.Arbitrary<Report> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: kind("verify"), payment: index }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: kind("deliver"),
      events: fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind("reconcile") }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("settle by hand"), order: index }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("spend"),
      user: index,
      credits: fc.constantFrom(1, 3, 10, 20, 23),
    }),
  },
);

const payment: fc.Arbitrary<Happening> = fc.record({
  kind: kind("pay"),
  order: index,
  outcome: fc.constantFrom("captured", "captured", "captured", "captured", "failed", "authorized"),
  wrongly: fc.constantFrom(false, false, false, true),
});

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kind("order"),
      user: index,
      packageId: fc.constantFrom("starter", "pro"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("order, cut off"), user: index }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("link"), user: index }) },
  { weight: 4, arbitrary: payment },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind("pay again"),
      order: index,
      outcome: fc.constantFrom("captured", "late_authorized"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("go on"), payment: index }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind("refund"),
      payment: index,
      share,
      status: fc.constantFrom("processed", "processed", "processed", "pending"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("end refund"),
      refund: index,
      status: fc.constantFrom("processed", "failed"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("dispute"),
      payment: index,
      share,
      steps: fc.constantFrom<readonly DisputeStep[]>([], ["lost"], ["lost"], ["lost", "won"]),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind("move dispute"),
      dispute: index,
      status: fc.constantFrom("under_review", "lost", "won", "won", "closed"),
    }),
  },
);

/** A plan: what happens, and in which order the remaining events are delivered in the end. */
export interface Plan {
  actions: Action[];
  lastOrder: number;
}

/** Random plans. Each begins with an order and a payment, for later actions to act on. */
export const plans: fc.Arbitrary<Plan> = fc.tuple(
  fc.constant<Action>({ kind: "order", user: 0, packageId: "starter" }),
  payment,
  fc.array(
    fc.oneof<fc.MaybeWeightedArbitrary<Action>[]>(
      { weight: 10, arbitrary: happening },
      { weight: 4, arbitrary: report },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: kind("together"),
          reports: fc.array(report, { minLength: 2, maxLength: 4 }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: kind("killed"),
          step: fc.integer({ min: 1, max: 6 }),
          carriedOut: fc.boolean(),
          report,
        }),
      },
    ),
    { minLength: 10, maxLength: 25, size: "max" },
  ),
  fc.nat(),
).map(([order, payment, rest, lastOrder]) => ({
  actions: [order, payment, ...rest],
  lastOrder,
}));

interface Order {
  phone: string;
  packageId: PackageId;
  /** A payment link gets one only when somebody begins to pay it. */
  razorpayOrderId?: string;
  linkId?: string;
}

interface Payment {
  id: string;
  order: Order;
  status: "failed" | "authorized" | "captured";
}

interface Reversal {
  id: string;
  status: string;
}

const MIN_REFUND_PAISE = 100;

/** Which steps of a dispute may follow. */
const DISPUTE_STEPS: Record<string, string[]> = {
  open: ["under_review", "lost", "won", "closed"],
  under_review: ["lost", "won", "closed"],
  lost: ["won"],
};

/** Which ends of a refund may follow. */
const REFUND_STEPS: Record<string, string[]> = {
  pending: ["processed", "failed"],
  processed: ["failed"],
};

const razorpayPayment = z.object({
  id: z.string(),
  amount: z.int(),
  amount_refunded: z.int(),
  currency: z.string(),
  status: z.string(),
});
const razorpayRefund = z.object({ amount: z.int(), status: z.string() });
const razorpayDispute = z.object({
  payment_id: z.string(),
  amount_deducted: z.int(),
  status: z.string(),
});
const listOf = <Item extends z.ZodType>(item: Item) => z.object({ items: z.array(item) });

/** The shop while a plan is played. */
class Play {
  readonly #users = [newPhoneNumber(), newPhoneNumber()];
  readonly #spent = new Map(this.#users.map((phone) => [phone, 0]));
  readonly #orders: Order[] = [];
  readonly #payments: Payment[] = [];
  readonly #refunds: Reversal[] = [];
  readonly #disputes: Reversal[] = [];

  constructor(readonly shop: PaymentHarness, readonly worker: KillableWorker) {}

  async perform(action: Action): Promise<void> {
    switch (action.kind) {
      case "together":
        await Promise.all(action.reports.map((report) => this.#expectReported(report)));
        break;
      case "killed":
        await this.worker.runUntil(action, () => this.#report(action.report));
        break;
      case "verify":
      case "deliver":
      case "reconcile":
      case "settle by hand":
      case "spend":
        await this.#expectReported(action);
        break;
      default:
        await this.#happen(action);
        return;
    }
    await assertBooksAreRight(this.shop.sql);
  }

  /** Delivers every event, and runs the reconciler until it finds nothing new. */
  async settle(lastOrder: number): Promise<void> {
    const events = shuffled(await this.shop.control.webhookEvents(), lastOrder);
    for (let first = 0; first < events.length; first += 4) {
      await Promise.all(
        events.slice(first, first + 4).map(async (event) => {
          dataOf(await deliver(event));
        }),
      );
    }
    for (let round = 1; (await this.shop.reconcile()).settled !== 0; round++) {
      ok(round < 10, "the reconciler keeps finding something new");
    }
    await assertBooksAreRight(this.shop.sql);
  }

  /** Compares what each user has with what Razorpay kept for the user. */
  async check(): Promise<void> {
    for (const phone of this.#users) {
      const { credits, debt } = await accountOf(phone);
      let possible = new Set([FREE_CREDITS - this.#spentBy(phone)]);
      for (const order of this.#orders.filter((order) => order.phone === phone)) {
        const worths = await this.#possibleWorths(order);
        possible = new Set(
          [...possible].flatMap((sum) => worths.map((worth) => sum + worth)),
        );
      }
      ok(
        possible.has(credits - debt) && (credits === 0 || debt === 0),
        `${phone} has ${credits} credits and a debt of ${debt}, and should have one of ` +
          [...possible].join(", "),
      );
    }
  }

  /**
   * The credits that an order is worth. Where the money of two payments was kept in part, either may
   * be the one that pays it.
   */
  async #possibleWorths({ razorpayOrderId, packageId }: Order): Promise<number[]> {
    if (razorpayOrderId === undefined) return [0];
    const { credits, amountPaise } = PACKAGES[packageId];
    const { items } = await this.#ask(
      `orders/${razorpayOrderId}/payments`,
      listOf(razorpayPayment),
    );
    const worths: number[] = [];
    for (const { id, amount, currency, status } of items) {
      const isMoney = status === "captured" || status === "refunded";
      if (!isMoney || amount !== amountPaise || currency !== "INR") continue;
      const gone = Math.min(amount, await this.#goneOf(id));
      if (gone < amount) worths.push(credits - Math.floor(credits * gone / amount));
    }
    return worths.length === 0 ? [0] : worths;
  }

  async #goneOf(paymentId: string): Promise<number> {
    const refunds = await this.#ask(
      `payments/${paymentId}/refunds?count=100`,
      listOf(razorpayRefund),
    );
    const disputes = await this.#ask("disputes?count=100", listOf(razorpayDispute));
    const amounts = [
      ...refunds.items.filter(({ status }) => status === "processed").map(({ amount }) => amount),
      ...disputes.items
        .filter(({ payment_id, status }) => payment_id === paymentId && status === "lost")
        .map(({ amount_deducted }) => amount_deducted),
    ];
    return amounts.reduce((sum, amount) => sum + amount, 0);
  }

  /** What Razorpay itself reports. */
  async #ask<Entity>(path: string, schema: z.ZodType<Entity>): Promise<Entity> {
    const { RAZORPAY_KEY_ID, RAZORPAY_KEY_SECRET } = this.shop.environment;
    const response = await fetch(`${this.shop.razorpay.url}/v1/${path}`, {
      headers: { authorization: basicAuthorization(RAZORPAY_KEY_ID, RAZORPAY_KEY_SECRET) },
    });
    return schema.parse(await response.json());
  }

  #spentBy(phone: string): number {
    return this.#spent.get(phone) ?? 0;
  }

  async #expectReported(report: Report): Promise<void> {
    for (const { httpStatus, body } of await this.#report(report)) {
      // The page may be told that its payment is pending, refunded, or not needed.
      const isFine = httpStatus === 200 || httpStatus === 202 ||
        (report.kind === "verify" && httpStatus < 500);
      ok(isFine, `${JSON.stringify(report)}: ${httpStatus} ${JSON.stringify(body)}`);
    }
  }

  async #report(report: Report): Promise<Answer[]> {
    switch (report.kind) {
      case "verify": {
        const payment = pick(this.#payments, report.payment);
        const { razorpayOrderId, phone, packageId } = payment?.order ?? {};
        if (payment === undefined || !razorpayOrderId || !phone || !packageId) return [];
        return [
          await verify({ phone, packageId, checkout: signedCheckout(razorpayOrderId, payment.id) }),
        ];
      }
      case "deliver": {
        const events = await this.shop.control.webhookEvents();
        return await Promise.all(
          report.events.map((number) => pick(events, number))
            .filter((event): event is WebhookEvent => event !== undefined)
            .map(deliver),
        );
      }
      case "reconcile":
        await this.shop.makeDue();
        return [await runReconciler()];
      case "settle by hand": {
        const { razorpayOrderId, linkId } = pick(this.#orders, report.order) ?? {};
        const order = linkId ?? razorpayOrderId;
        if (order === undefined || linkId === undefined && !await this.#isStored(order)) return [];
        return [await settleByHand({ order, reason: "A plan" })];
      }
      case "spend":
        return [await this.#spend(pick(this.#users, report.user) ?? "", report.credits)];
    }
  }

  /** We cannot look up an order that was cut off until a webhook has told us its id. */
  async #isStored(razorpayOrderId: string): Promise<boolean> {
    const rows = await this.shop.sql`
      select from public.payment_orders where razorpay_order_id = ${razorpayOrderId}`;
    return rows.length > 0;
  }

  /** A call that was cut off may have charged; its reference shows whether it did. */
  async #spend(phone_number: string, credits: number): Promise<Answer> {
    const body = { phone_number, credits, reference_id: crypto.randomUUID() };
    const answer = await call("POST", "bot-deduct", { body });
    const [charged] = await this.shop.sql`
      select from public.credit_transactions where reference_id = ${body.reference_id}`;
    if (charged) this.#spent.set(phone_number, this.#spentBy(phone_number) + credits);
    return answer;
  }

  async #happen(happening: Happening): Promise<void> {
    switch (happening.kind) {
      case "order":
        return await this.#order(pick(this.#users, happening.user) ?? "", happening.packageId);
      case "order, cut off":
        return await this.#orderCutOff(pick(this.#users, happening.user) ?? "");
      case "link":
        return await this.#makeLink(pick(this.#users, happening.user) ?? "");
      case "pay":
        return await this.#pay(pick(this.#orders, happening.order), happening);
      case "pay again":
        return await this.#payAgain(pick(this.#orders, happening.order), happening.outcome);
      case "go on":
        return await this.#goOn(pick(this.#payments, happening.payment));
      case "refund":
        return await this.#refund(pick(this.#payments, happening.payment), happening);
      case "end refund":
        return await this.#endRefund(pick(this.#refunds, happening.refund), happening.status);
      case "dispute":
        return await this.#dispute(pick(this.#payments, happening.payment), happening);
      case "move dispute":
        return await this.#moveDispute(pick(this.#disputes, happening.dispute), happening.status);
    }
  }

  async #order(phone: string, packageId: PackageId): Promise<void> {
    const razorpayOrderId = await orderPackage(phone, packageId);
    if (this.#orders.some((order) => order.razorpayOrderId === razorpayOrderId)) return;
    this.#orders.push({ phone, packageId, razorpayOrderId });
  }

  /** Razorpay makes the order, but we never receive the response with its id. */
  async #orderCutOff(phone: string): Promise<void> {
    const packageId = "popular";
    // Only the last order with a receipt can be paid, so each user is cut off once.
    if (this.#orders.some((order) => order.phone === phone && order.packageId === packageId)) {
      return;
    }
    const { control } = this.shop;
    await control.addFault({ kind: "502_html", path: "/v1/orders", method: "POST", applied: true });
    await call("POST", "create-order", { body: { phone_number: phone, package_id: packageId } });
    const { items } = await this.#ask("orders?count=1", listOf(z.object({ id: z.string() })));
    const { id } = one(items);
    this.#orders.push({ phone, packageId, razorpayOrderId: id });
  }

  async #makeLink(phone: string): Promise<void> {
    const body = { phone_number: phone, package_id: "starter" };
    const { short_url } = dataOf(await call("POST", "bot-payment-link", { body }));
    const { id } = one(
      await this.shop.sql<{ id: string }[]>`
      select razorpay_payment_link_id as id from public.payment_orders
      where short_url = ${String(short_url)}`,
    );
    if (this.#orders.some(({ linkId }) => linkId === id)) return;
    this.#orders.push({ phone, packageId: "starter", linkId: id });
  }

  async #pay(
    order: Order | undefined,
    { outcome, wrongly }: { outcome: Payment["status"]; wrongly: boolean },
  ): Promise<void> {
    if (order === undefined || this.#isTaken(order)) return;
    const details = {
      outcome,
      ...(wrongly && { amount: 5_000 }),
      deliver_webhooks: false,
    };
    const { control } = this.shop;
    const paid = order.linkId === undefined
      ? await control.payOrder(order.razorpayOrderId ?? "", details)
      : await control.payPaymentLink(order.linkId, { ...details, force: true });
    order.razorpayOrderId = paid.razorpay_order_id;
    this.#payments.push({ id: paid.razorpay_payment_id, order, status: outcome });
  }

  /** Checkout accepts no further payment on an order that has one. */
  #isTaken(order: Order): boolean {
    return this.#payments.some((payment) => payment.order === order && payment.status !== "failed");
  }

  async #payAgain(
    order: Order | undefined,
    outcome: "captured" | "late_authorized",
  ): Promise<void> {
    if (!order?.razorpayOrderId || !this.#isTaken(order)) return;
    const { razorpay_payment_id } = await this.shop.control.payOrder(order.razorpayOrderId, {
      outcome,
      force: outcome === "captured",
      deliver_webhooks: false,
    });
    this.#payments.push({ id: razorpay_payment_id, order, status: "captured" });
  }

  async #refund(
    payment: Payment | undefined,
    { share, status }: { share: number; status: "processed" | "pending" },
  ): Promise<void> {
    if (payment?.status !== "captured") return;
    const { amount, amount_refunded } = await this.#ask(`payments/${payment.id}`, razorpayPayment);
    const left = amount - amount_refunded;
    if (left < MIN_REFUND_PAISE) return;
    const refund = await this.shop.control.refund(payment.id, {
      amount: Math.min(left, Math.max(MIN_REFUND_PAISE, Math.floor(amount * share))),
      status,
      deliver_webhooks: false,
    });
    this.#refunds.push({ id: refund.id, status });
  }

  async #endRefund(
    refund: Reversal | undefined,
    status: "processed" | "failed",
  ): Promise<void> {
    if (!refund || !REFUND_STEPS[refund.status]?.includes(status)) return;
    await this.shop.control.changeRefund(refund.id, { status, deliver_webhooks: false });
    refund.status = status;
  }

  async #dispute(
    payment: Payment | undefined,
    { share, steps }: { share: number; steps: readonly DisputeStep[] },
  ): Promise<void> {
    if (payment?.status !== "captured") return;
    const { amount } = await this.#ask(`payments/${payment.id}`, razorpayPayment);
    const { id, status } = await this.shop.control.openDispute(payment.id, {
      amount: Math.floor(amount * share),
      deliver_webhooks: false,
    });
    const dispute = { id, status };
    this.#disputes.push(dispute);
    for (const step of steps) await this.#moveDispute(dispute, step);
  }

  async #moveDispute(dispute: Reversal | undefined, status: DisputeStep): Promise<void> {
    if (!dispute || !DISPUTE_STEPS[dispute.status]?.includes(status)) return;
    await this.shop.control.changeDispute(dispute.id, { status, deliver_webhooks: false });
    dispute.status = status;
  }

  /** The bank captures an authorized payment, or a failed one after all. */
  async #goOn(payment: Payment | undefined): Promise<void> {
    if (payment === undefined || payment.status === "captured") return;
    const { control } = this.shop;
    if (payment.status === "authorized") {
      await control.capture(payment.id, { deliver_webhooks: false });
    } else {
      await control.payOrder(payment.order.razorpayOrderId ?? "", {
        outcome: "captured",
        payment_id: payment.id,
        force: true,
        deliver_webhooks: false,
      });
    }
    payment.status = "captured";
  }
}

/** The items in a pseudorandom order that the number determines. */
function shuffled<Item>(items: Item[], order: number): Item[] {
  const left = [...items];
  return items.map(() => {
    const taken = one(left.splice(order % left.length, 1));
    // The numbers of a linear congruential generator (Numerical Recipes, 1992).
    order = (1_664_525 * order + 1_013_904_223) % 2 ** 32;
    return taken;
  });
}

function pick<Item>(items: Item[], number: number): Item | undefined {
  return items[number % items.length];
}

/** Plays a plan, lets everything settle, and fails unless the users have what they should. */
export async function playPlan(
  shop: PaymentHarness,
  worker: KillableWorker,
  { actions, lastOrder }: Plan,
): Promise<void> {
  // Orders and events of earlier plans would only take time.
  await shop.forgetOrders();
  await shop.control.clearFaults();
  await shop.control.forgetWebhookEvents();
  const play = new Play(shop, worker);
  for (const action of actions) await play.perform(action);
  await play.settle(lastOrder);
  await play.check();
}
