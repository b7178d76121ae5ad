/**
 * The mixed load: bots, pages, customers at Razorpay and operators, all at once, each as the documentation
 * tells them to be.
 * @module
 */

import { createHmac } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Random, randomOf } from "../random.ts";
import { type Answer, type Call, Client } from "./client.ts";
import { type Entry, isDone, type Kind } from "./entry.ts";
import { Journal } from "./journal.ts";
import { PATIENCE_MS } from "./patience.ts";
import { RazorpayBooks } from "./razorpay-books.ts";
import type { Target } from "./target.ts";

/** How heavy a load is, and how it draws. */
export interface LoadOptions {
  readonly seed: number;
  /** How many callers act at once. */
  readonly callers: number;
  /** How long each rests between two acts, on average. */
  readonly restMs: number;
  /** The probability that a caller cuts its own connection before the answer. */
  readonly cutRate: number;
  /** After how many seconds a reservation that its bot forgot returns. */
  readonly forgottenAfterSeconds: number;
}

/** A load under way. */
export interface Load {
  readonly journal: Journal;
  /** Throws what has ended the load before it was stopped, which is a mistake in the load itself. */
  throwIfFailed(): void;
  /** Ends the load once every call under way has its answer. Throws if that takes too long. */
  stop(): Promise<void>;
}

/** The package that everybody buys, as in supabase/seed.sql. */
export const PACKAGE = { id: "starter", credits: 20, amountPaise: 9_900 };

/** How many people there are before the load begins, each with so many credits. */
const FIRST_PEOPLE = 24;
const FIRST_CREDITS = 100;

/** What a first message is worth. */
const WELCOME_CREDITS = 3;

/** How often the load has Razorpay asked. The stack's scheduler does once a minute, which is rare here. */
const SCHEDULE_MS = 2_000;

/** How long the load may take to end: an act may have one call after another to repeat. */
const STOP_MS = 2 * PATIENCE_MS;

/** The share of callers that go away without repeating a call whose answer they missed. */
const GONE_RATE = 0.03;

/** The share of reservations that nobody ends, so that they expire. */
const FORGOTTEN_RATE = 0.2;

/** The share of payments that no webhook reports. */
const UNREPORTED_RATE = 0.2;

/** Somebody with an account. */
interface Person {
  readonly phone: string;
  readonly userId: string;
  /** Whether a purchase is under way: two at once would be one order. */
  isBuying: boolean;
}

/** A payment whose money may still go back. */
interface Refundable {
  readonly phone: string;
  readonly paymentId: string;
}

/** Puts a load on `target` until it is stopped. Resolves once the first people have their accounts. */
export async function startLoad(target: Target, options: LoadOptions): Promise<Load> {
  const crowd = new Crowd(target, options);
  await Promise.all(Array.from({ length: FIRST_PEOPLE }, () => crowd.welcome()));
  let isStopping = false;
  const repeated = async (act: () => Promise<void>, restMs: () => number) => {
    while (!isStopping) {
      await act();
      await delay(restMs());
    }
  };
  const rest = () => crowd.random.between(0, 2 * options.restMs);
  const running = Promise.all([
    ...Array.from({ length: options.callers }, () => repeated(() => crowd.act(), rest)),
    repeated(() => crowd.reconcile(), () => SCHEDULE_MS),
    repeated(() => crowd.noteWebhooks(), () => SCHEDULE_MS),
  ]);
  let hasEnded = false;
  let failure: unknown;
  running.then(() => hasEnded = true, (error) => {
    failure = error;
    isStopping = true;
  });
  const throwIfFailed = () => {
    if (failure !== undefined) throw failure;
  };
  return {
    journal: crowd.journal,
    throwIfFailed,
    async stop() {
      isStopping = true;
      const deadline = Date.now() + STOP_MS;
      while (!hasEnded) {
        throwIfFailed();
        if (Date.now() > deadline) {
          throw new Error(`The load has not ended within ${STOP_MS / 1_000} seconds`);
        }
        await delay(10);
      }
    },
  };
}

class Crowd {
  readonly journal = new Journal();
  readonly random: Random;
  readonly #target: Target;
  readonly #options: LoadOptions;
  readonly #client: Client;
  readonly #books: RazorpayBooks;
  readonly #people: Person[] = [];
  readonly #refundable: Refundable[] = [];
  readonly #phones = new Set<string>();
  #references = 0;

  constructor(target: Target, options: LoadOptions) {
    this.#target = target;
    this.#options = options;
    this.random = randomOf(options.seed);
    this.#books = new RazorpayBooks(target.environment);
    this.#client = new Client(target.environment, {
      random: this.random,
      cutRate: options.cutRate,
      surprised: (sentence) => this.journal.surprises.push(sentence),
    });
  }

  /** Does one thing that people, bots or operators do. */
  async act(): Promise<void> {
    const draw = this.random.next();
    if (draw < 0.40) await this.#deduct(this.#anybody());
    else if (draw < 0.60) await this.#hold(this.#anybody());
    else if (draw < 0.70) await this.welcome();
    else if (draw < 0.78) await this.#buyOnPage();
    else if (draw < 0.83) await this.#buyInChat();
    else if (draw < 0.87) await this.#refund();
    else if (draw < 0.95) await this.#adjust(this.#anybody(), this.random.between(1, 20));
    else await this.#repeatSomething();
  }

  /** Somebody writes to the bot for the first time: two messages at once, of which one makes an image. */
  async welcome(): Promise<void> {
    const phone = this.#newPhone();
    const contact: Call = { as: "bot", path: `bot-credits/${encodeURIComponent(phone)}` };
    const [firstContact] = await Promise.all([
      this.#ask("first contact", phone, phone, WELCOME_CREDITS, contact, { canGo: false }),
      this.#deduct({ phone }),
    ]);
    const profile = await this.#client.insist({ as: "page", path: `users/${phone}` });
    if (typeof profile?.data.id !== "string") {
      // Without a first contact there may be nobody, and the check tells of that already.
      if (isDone(firstContact)) {
        this.journal.surprises.push(`the profile of ${phone}: ${textOf(profile)}`);
      }
      return;
    }
    const person = { phone, userId: profile.data.id, isBuying: false };
    if (this.#people.length < FIRST_PEOPLE) await this.#adjust(person, FIRST_CREDITS);
    this.#people.push(person);
  }

  /** Has Razorpay asked about orders. An outage is no reason to call again before it is time. */
  async reconcile(): Promise<void> {
    await this.#client.send({ as: "operator", path: "reconcile-payments", body: {} });
  }

  /**
   * Writes down what became of webhooks, and lets Razorpay forget them: it would write thousands of old
   * events to its file with each new one. What is delivered in between is forgotten unseen.
   */
  async noteWebhooks(): Promise<void> {
    const { control } = this.#target;
    try {
      await this.journal.noteWebhooks(control);
      await control.forgetWebhookEvents();
    } catch {
      // It is down. What it knows is in its file, and is read next time.
    }
  }

  async #deduct({ phone }: Pick<Person, "phone">): Promise<void> {
    const credits = this.random.between(1, 2);
    const reference_id = this.#newReference("image");
    const body = { phone_number: phone, reference_id, credits };
    await this.#ask("deduction", phone, reference_id, credits, {
      as: "bot",
      path: "bot-deduct",
      body,
    });
  }

  /** A bot reserves, works, and charges all or a part, or returns it; or it is never heard of again. */
  async #hold({ phone }: Person): Promise<void> {
    const credits = this.random.between(2, 5);
    const reference_id = this.#newReference("video");
    const about = { phone_number: phone, reference_id };
    const isForgotten = this.random.happens(FORGOTTEN_RATE);
    const reservation = await this.#ask("reservation", phone, reference_id, credits, {
      as: "bot",
      path: "bot-reserve",
      body: {
        ...about,
        credits,
        expires_in_seconds: isForgotten ? this.#options.forgottenAfterSeconds : 3_600,
      },
    });
    if (isForgotten || !isDone(reservation)) return;
    await delay(this.random.between(0, 4 * this.#options.restMs));
    if (this.random.happens(0.3)) {
      const call: Call = { as: "bot", path: "bot-release", body: about };
      await this.#ask("release", phone, reference_id, credits, call);
    } else {
      const part = this.random.between(1, credits);
      const body = { ...about, credits: part };
      await this.#ask("capture", phone, reference_id, part, {
        as: "bot",
        path: "bot-capture",
        body,
      });
    }
  }

  /** Buys on a page, which may be closed right after the payment. */
  async #buyOnPage(): Promise<void> {
    await this.#whileBuying(async ({ phone }) => {
      const body = { package_id: PACKAGE.id, phone_number: phone };
      const call: Call = { as: "page", path: "create-order", body };
      const order = await this.#ask("order", phone, "", PACKAGE.credits, call);
      const orderId = order.answer?.data.order_id;
      if (typeof orderId !== "string") return;
      const paymentId = await this.#pay(
        orderId,
        (webhook) => this.#target.control.payOrder(orderId, { outcome: "captured", ...webhook }),
      );
      if (this.random.happens(0.5)) await this.#verify(phone, orderId, paymentId);
    });
  }

  /** Buys with a link from the chat. Only the webhook or the reconciler can tell of it. */
  async #buyInChat(): Promise<void> {
    await this.#whileBuying(async ({ phone }) => {
      const reference_id = this.#newReference("link");
      const body = { package_id: PACKAGE.id, phone_number: phone, reference_id };
      const call: Call = { as: "bot", path: "bot-payment-link", body };
      const link = await this.#ask("payment link", phone, reference_id, PACKAGE.credits, call);
      const url = link.answer?.data.short_url;
      if (typeof url !== "string") return;
      const held = await this.#books.paymentLinkAt(url);
      if (held === undefined) {
        this.journal.surprises.push(`payment link ${reference_id}: Razorpay does not hold ${url}`);
        return;
      }
      await this.#untilPaid(async () => {
        const webhook = this.#webhook();
        await this.#target.control.payPaymentLink(held.id, { outcome: "captured", ...webhook });
      });
    });
  }

  async #whileBuying(buy: (person: Person) => Promise<void>): Promise<void> {
    const person = this.#anybody();
    if (person.isBuying) return;
    person.isBuying = true;
    try {
      await buy(person);
    } finally {
      person.isBuying = false;
    }
  }

  #webhook() {
    return { deliver_webhooks: !this.random.happens(UNREPORTED_RATE) };
  }

  /** Plays the customer until the order is paid, and returns the payment. */
  async #pay(
    orderId: string,
    pay: (webhook: { deliver_webhooks: boolean }) => Promise<unknown>,
  ): Promise<string> {
    const webhook = this.#webhook();
    await this.#untilPaid(() => pay(webhook));
    const payments = await this.#books.paymentsOf(orderId);
    const paid = payments.find(({ status }) => status === "captured");
    if (paid === undefined) throw new Error(`Razorpay forgot the payment of ${orderId}`);
    return paid.id;
  }

  /**
   * A stand-in that was killed may have lost the payment, or only the answer that it was made. Throws what
   * was last in the way, which ends the load, if that lasts.
   */
  async #untilPaid(pay: () => Promise<unknown>): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        await pay();
        return;
      } catch (error) {
        if (/already paid|link is paid/.test(String(error))) return;
        if (Date.now() > deadline) throw error;
        await delay(this.random.between(50, 400));
      }
    }
  }

  async #verify(phone: string, orderId: string, paymentId: string): Promise<void> {
    // As Checkout signs for a page.
    const signature = createHmac("sha256", this.#target.environment.RAZORPAY_KEY_SECRET)
      .update(`${orderId}|${paymentId}`).digest("hex");
    const body = {
      razorpay_order_id: orderId,
      razorpay_payment_id: paymentId,
      razorpay_signature: signature,
      phone_number: phone,
      package_id: PACKAGE.id,
    };
    const call: Call = { as: "page", path: "verify-payment", body };
    const verification = await this.#ask("verification", phone, paymentId, PACKAGE.credits, call);
    if (isDone(verification)) this.#refundable.push({ phone, paymentId });
  }

  /** An operator returns half of the money of a payment. */
  async #refund(): Promise<void> {
    const payment = this.#refundable.shift();
    if (payment === undefined) return;
    const { phone, paymentId } = payment;
    const reference_id = this.#newReference("refund");
    const body = {
      payment_id: paymentId,
      amount_paise: PACKAGE.amountPaise / 2,
      reference_id,
      ...OPERATOR,
    };
    const call: Call = { as: "operator", path: "refund-payment", body };
    await this.#ask("refund", phone, reference_id, PACKAGE.credits / 2, call);
  }

  async #adjust({ phone, userId }: Person, credits: number): Promise<void> {
    const reference_id = this.#newReference("adjustment");
    const body = { user_id: userId, credits, reference_id, ...OPERATOR };
    const call: Call = { as: "operator", path: "adjust-credits", body };
    await this.#ask("adjustment", phone, reference_id, credits, call);
  }

  /** Somebody repeats a call of which the answer is known, and must be told the same. */
  async #repeatSomething(): Promise<void> {
    const { entries } = this.journal;
    const entry = entries[this.random.between(0, entries.length - 1)];
    if (!entry || !isDone(entry) || !REPEATABLE.includes(entry.kind)) return;
    const again = await this.#client.insist(entry.call);
    const difference = again && differenceOfReplay(entry, again);
    if (difference) this.journal.surprises.push(difference);
  }

  /** Makes a call until it is answered, or leaves without an answer. Either is in the journal. */
  async #ask(
    kind: Kind,
    phone: string,
    reference: string,
    credits: number,
    call: Call,
    { canGo = true } = {},
  ): Promise<Entry> {
    const entry = this.journal.begin({ kind, phone, reference, credits, call });
    if (canGo && this.random.happens(GONE_RATE)) {
      entry.isAbandoned = true;
      const answer = await this.#client.send(call);
      // An outage that was said may have come after the act as well.
      if (answer && answer.httpStatus < 500 && answer.httpStatus !== 202) {
        entry.isAbandoned = false;
        this.journal.answer(entry, answer);
      }
      return entry;
    }
    const answer = await this.#client.insist(call);
    if (answer === undefined) return entry;
    this.journal.answer(entry, answer);
    if (!isExpected(kind, answer.status, answer.code)) {
      this.journal.surprises.push(`${kind} ${reference}: ${textOf(answer)}`);
    }
    return entry;
  }

  #anybody(): Person {
    const person = this.#people[this.random.between(0, this.#people.length - 1)];
    if (person === undefined) throw new Error("Nobody has an account yet");
    return person;
  }

  #newPhone(): string {
    const digits = String(this.random.between(0, 99_999_999)).padStart(8, "0");
    const phone = `+9198${digits}`;
    if (this.#phones.has(phone)) return this.#newPhone();
    this.#phones.add(phone);
    return phone;
  }

  #newReference(about: string): string {
    return `${about}-${this.#options.seed}-${++this.#references}`;
  }
}

/** What may be repeated at any time, and is then told the first figures. */
export const REPEATABLE: readonly Kind[] = ["deduction", "adjustment", "capture", "refund"];

const OPERATOR = { operator: "The proof", reason: "It is part of the load" };

/** What calls are refused with in an ordinary life. */
const EXPECTED: Partial<Record<Kind, readonly string[]>> = {
  "deduction": ["INSUFFICIENT_CREDITS"],
  "reservation": ["INSUFFICIENT_CREDITS", "TOO_MANY_HOLDS"],
};

function isExpected(kind: Kind, status: string, code: string | undefined): boolean {
  return status === "SUCCESS" || (EXPECTED[kind]?.includes(code ?? status) ?? false);
}

function textOf(answer: Answer | undefined): string {
  if (answer === undefined) return "no answer";
  const { httpStatus, status, code, message } = answer;
  return `${httpStatus} ${code ?? status} ${message}`;
}

/** Says how the answer to a repeated call differs from the first one, if it does. */
export function differenceOfReplay(
  { kind, reference, answer }: Entry,
  again: NonNullable<Entry["answer"]>,
): string | undefined {
  const figures = ({ status, message, data }: NonNullable<Entry["answer"]>) =>
    JSON.stringify([status, message, Object.entries(data).sort()]);
  if (answer === undefined || figures(answer) === figures(again) && again.isReplay) {
    return undefined;
  }
  return `${kind} ${reference} was repeated: ${figures(again)} instead of ${figures(answer)}`;
}
