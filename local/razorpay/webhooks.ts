/**
 * The delivery of webhook events: signature, headers, retries, and the end of a webhook that fails
 * for a day.
 *
 * The waits are those of 796 real deliveries that github.com/LokarajR/Raze measured: offsets from the
 * first attempt, doubling, for 22.8 hours.
 * Payment events that meet a 5xx or a dropped connection are sent again after 0.23 s.
 * @module
 */

import { createHmac } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { EventName } from "./event-names.ts";
import { newEventId } from "./ids.ts";
import type { Settings } from "./settings.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const QUICK_RETRY_MS = 230;
const RETRY_OFFSETS_MS = [
  ...[6, 19, 39, 82, 164, 326, 650, 1_293, 2_577, 5_140].map((seconds) => seconds * SECOND),
  ...[2.85, 5.7, 11.4, 22.8].map((hours) => hours * HOUR),
];
const QUICKLY_RETRIED: readonly EventName[] = [
  "payment.authorized",
  "payment.captured",
  "order.paid",
];
const MAX_EVENTS = 2_000;

/** One POST to the receiver. `duplicate` and `replay` are outside the ladder of retries. */
export interface Attempt {
  readonly kind: "first" | "retry" | "duplicate" | "replay";
  /** Unix milliseconds. */
  readonly at_ms: number;
  /** The receiver's answer, or null if there was none. */
  readonly status: number | null;
  /** Why there was none. */
  readonly error: "timeout" | "connection" | null;
  readonly duration_ms: number;
}

/** One event with everything that is needed to send the same bytes again. */
export interface WebhookEvent {
  readonly id: string;
  readonly event: EventName;
  readonly body: string;
  signature: string;
  /** When it was first to be sent, in Unix milliseconds: the retries count from here. */
  started_at_ms: number;
  /** `held`: not sent. `failed`: given up, or the webhook was disabled meanwhile. */
  state: "held" | "pending" | "delivered" | "failed";
  attempts: Attempt[];
}

/** How to send kept events again. */
export interface Redelivery {
  /** Sends copies with other event ids, which the signature does not cover. */
  readonly new_event_ids: boolean;
  /** Signs with the present secret, or repeats the signature of the event's creation. */
  readonly signature: "current" | "original";
  readonly at_once: boolean;
}

/** The webhook of one account. */
export class Webhooks {
  readonly #events: Map<string, WebhookEvent>;
  readonly #settings: Settings;
  readonly #onChange: () => void;
  /** The events of the action that is going on. */
  #batch: WebhookEvent[] | undefined;
  readonly #pending = new Set<WebhookEvent>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #stopping = new AbortController();
  readonly #waiting = new Set<() => void>();
  /** The last of the events that are sent one after the other. */
  #queue: Promise<void> = Promise.resolve();
  /** Posts that were begun or are certain to come, without those of retries. */
  #postsDue = 0;

  /** `onChange` is called when an event changed, so that it can be saved. */
  constructor(events: Map<string, WebhookEvent>, settings: Settings, onChange: () => void) {
    this.#events = events;
    this.#settings = settings;
    this.#onChange = onChange;
  }

  /** Whether there is a URL to send to, and Razorpay has not disabled it. */
  get canSend(): boolean {
    return this.#settings.webhooks_enabled && this.#settings.webhook_url !== null;
  }

  /** All kept events, oldest first. */
  get events(): WebhookEvent[] {
    return [...this.#events.values()];
  }

  /** Forgets the events that are not on their way. */
  forget(): void {
    for (const event of this.events) {
      if (!this.#pending.has(event)) this.#events.delete(event.id);
    }
  }

  /**
   * Does something that emits events, and then sends them together, or holds them back. `act` has to
   * be synchronous, so that no other action's events get between its own.
   */
  batch<Result>(deliver: boolean, act: () => Result): Result {
    const batch: WebhookEvent[] = [];
    this.#batch = batch;
    try {
      return act();
    } finally {
      this.#batch = undefined;
      if (deliver) this.#send(batch);
    }
  }

  /** Emits an event as part of the present batch, or as one of its own. */
  emit(event: EventName, body: string): void {
    const { webhook_events, webhook_event_copies } = this.#settings;
    // An event that the webhook does not subscribe to does not come into being.
    if (webhook_events !== null && !webhook_events.includes(event)) return;
    const copies = Array.from({ length: webhook_event_copies }, () =>
      this.#keep({
        id: newEventId(),
        event,
        body,
        signature: this.#sign(body),
        started_at_ms: Date.now(),
        state: "held",
        attempts: [],
      }));
    if (this.#batch === undefined) this.#send(copies);
    else this.#batch.push(...copies);
  }

  /** Sends kept events in the given order. Those that were held begin their ladder of retries. */
  redeliver(eventIds: string[], { new_event_ids, signature, at_once }: Redelivery): WebhookEvent[] {
    const batch = eventIds.map((id) => {
      const event = this.#events.get(id);
      if (event === undefined) throw new RangeError(`there is no event ${id}`);
      return event;
    }).map((event) => new_event_ids ? this.#copy(event) : event);
    for (const event of batch) {
      if (signature === "current") event.signature = this.#sign(event.body);
    }
    this.#start(batch, at_once);
    return batch;
  }

  /**
   * Sends the events that a stop interrupted. Their retries begin anew, as the receiver may have been
   * stopped as well, and time without it must not use them up.
   */
  resume(): void {
    const interrupted = this.events.filter(({ state }) => state === "pending");
    for (const event of interrupted) {
      event.state = "held";
      event.attempts = [];
    }
    if (this.canSend) this.#start(interrupted, false);
  }

  /** Gives up all retries, as Razorpay does when the webhook is disabled. */
  giveUp(): void {
    for (const event of [...this.#pending]) this.#finish(event, "failed");
  }

  /**
   * Waits until no event is on its way, or, for `attempted`, until the first attempt of each is over.
   * Answers false if that took longer than the timeout.
   */
  settled(until: "finished" | "attempted", timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (answer: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        this.#stopping.signal.removeEventListener("abort", giveUp);
        resolve(answer);
      };
      const check = () => {
        if (this.#isSettled(until)) end(true);
      };
      const giveUp = () => end(false);
      const timer = setTimeout(giveUp, timeoutMs);
      this.#waiting.add(check);
      this.#stopping.signal.addEventListener("abort", giveUp);
      check();
    });
  }

  /** Ends every timer and connection. Events on their way stay pending for {@linkcode resume}. */
  stop(): void {
    this.#stopping.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #send(batch: WebhookEvent[]): void {
    if (!this.canSend) return;
    const { webhook_order } = this.#settings;
    if (webhook_order === "reversed") batch.reverse();
    if (webhook_order === "shuffled") shuffle(batch);
    this.#start(batch, webhook_order === "at_once");
  }

  #sign(body: string): string {
    return createHmac("sha256", this.#settings.webhook_secret).update(body).digest("hex");
  }

  #keep(event: WebhookEvent): WebhookEvent {
    this.#events.set(event.id, event);
    if (this.#events.size > MAX_EVENTS) {
      for (const kept of this.#events.values()) {
        if (this.#pending.has(kept)) continue;
        this.#events.delete(kept.id);
        break;
      }
    }
    this.#onChange();
    return event;
  }

  #copy(event: WebhookEvent): WebhookEvent {
    return this.#keep({
      ...event,
      id: newEventId(),
      started_at_ms: Date.now(),
      state: "held",
      attempts: [],
    });
  }

  #start(batch: WebhookEvent[], atOnce: boolean): void {
    const held = batch.filter((event) => event.state === "held");
    for (const event of held) {
      event.state = "pending";
      event.started_at_ms = Date.now();
      this.#pending.add(event);
    }
    const send = (event: WebhookEvent) =>
      held.includes(event) ? this.#begin(event) : this.#replay(event);
    if (atOnce) {
      for (const event of batch) void send(event);
    } else {
      this.#postsDue += batch.length;
      this.#queue = this.#queue.then(() => this.#sendInTurn(batch, send));
    }
  }

  async #sendInTurn(
    batch: WebhookEvent[],
    send: (event: WebhookEvent) => Promise<unknown>,
  ): Promise<void> {
    for (const event of batch) {
      if (this.#stopping.signal.aborted) return;
      const sent = send(event);
      this.#postsDue--;
      await sent;
    }
    this.#changed();
  }

  /** Sends an event for the first time, with the duplicates that the settings ask for. */
  async #begin(event: WebhookEvent): Promise<void> {
    // The webhook may have been disabled while the event waited for its turn.
    if (event.state !== "pending") return;
    for (let count = 1; count <= this.#settings.webhook_duplicates; count++) {
      this.#postsDue++;
      this.#after(count * QUICK_RETRY_MS * this.#settings.webhook_time_factor, () => {
        const posted = this.#post(event, "duplicate");
        this.#postsDue--;
        void posted;
      });
    }
    await this.#climb(event, "first");
  }

  async #replay(event: WebhookEvent): Promise<void> {
    const attempt = await this.#post(event, "replay");
    if (isSuccess(attempt)) this.#finish(event, "delivered");
  }

  /** One step of the ladder. */
  async #climb(event: WebhookEvent, kind: "first" | "retry"): Promise<void> {
    const attempt = await this.#post(event, kind);
    if (this.#stopping.signal.aborted) return;
    if (isSuccess(attempt)) {
      this.#finish(event, "delivered");
    } else if (event.state === "pending") {
      this.#scheduleRetry(event);
    }
  }

  #scheduleRetry(event: WebhookEvent): void {
    const offsetMs = nextOffsetMs(event);
    if (offsetMs === undefined) {
      // Razorpay disables the webhook and writes an e-mail; the merchant has to enable it again.
      this.#settings.webhooks_enabled = false;
      this.giveUp();
      return;
    }
    const dueMs = event.started_at_ms + offsetMs * this.#settings.webhook_time_factor;
    this.#after(Math.max(0, dueMs - Date.now()), () => {
      if (event.state === "pending") void this.#climb(event, "retry");
    });
    this.#changed();
  }

  #finish(event: WebhookEvent, state: "delivered" | "failed"): void {
    event.state = state;
    this.#pending.delete(event);
    this.#changed();
  }

  async #post(event: WebhookEvent, kind: Attempt["kind"]): Promise<Attempt> {
    const { webhook_url, webhook_timeout_ms } = this.#settings;
    const startedMs = Date.now();
    this.#postsDue++;
    const outcome = webhook_url === null
      ? { status: null, error: "connection" as const }
      : await post(new URL(webhook_url), event, webhook_timeout_ms, this.#stopping.signal);
    this.#postsDue--;
    const attempt = { kind, at_ms: startedMs, ...outcome, duration_ms: Date.now() - startedMs };
    if (!this.#stopping.signal.aborted) {
      event.attempts.push(attempt);
      this.#changed();
    }
    return attempt;
  }

  #after(delayMs: number, act: () => void): void {
    if (this.#stopping.signal.aborted) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, Math.ceil(delayMs));
    this.#timers.add(timer);
  }

  #changed(): void {
    this.#onChange();
    for (const check of [...this.#waiting]) check();
  }

  #isSettled(until: "finished" | "attempted"): boolean {
    if (this.#postsDue > 0) return false;
    if (until === "finished") return this.#pending.size === 0;
    return [...this.#pending].every((event) => event.attempts.length > 0);
  }
}

/** Razorpay takes any 2xx for success, and every other answer, 4xx too, for a reason to retry. */
function isSuccess({ status }: Attempt): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** When, after the first attempt was due, the next attempt is due; undefined when all are used up. */
function nextOffsetMs(event: WebhookEvent): number | undefined {
  const climbed = event.attempts.filter(({ kind }) => kind === "first" || kind === "retry");
  const [first] = climbed;
  const brokeDown = first !== undefined &&
    (first.error === "connection" || (first.status !== null && first.status >= 500));
  const offsetsMs = brokeDown && QUICKLY_RETRIED.includes(event.event)
    ? [QUICK_RETRY_MS, ...RETRY_OFFSETS_MS]
    : RETRY_OFFSETS_MS;
  return offsetsMs[climbed.length - 1];
}

/**
 * Sends one event with the headers that Razorpay sends. `node:http` is used because `fetch` adds
 * headers of its own, and, on a connection that it reuses, may send a POST twice.
 */
function post(
  url: URL,
  event: WebhookEvent,
  timeoutMs: number,
  stopping: AbortSignal,
): Promise<Pick<Attempt, "status" | "error">> {
  const bytes = new TextEncoder().encode(event.body);
  return new Promise((resolve) => {
    const end = (status: number | null, error: Attempt["error"]) => {
      clearTimeout(timer);
      stopping.removeEventListener("abort", abandon);
      resolve({ status, error });
    };
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(url, {
      method: "POST",
      agent: false,
      headers: {
        "User-Agent": "Razorpay-Webhook/v1",
        "Content-Length": bytes.length,
        "Accept-Encoding": "gzip",
        "Content-Type": "application/json",
        "Request-Id": event.id,
        "X-Razorpay-Event-Id": event.id,
        "X-Razorpay-Signature": event.signature,
      },
    });
    const abandon = () => {
      request.destroy();
      end(null, "connection");
    };
    const timer = setTimeout(() => {
      request.destroy();
      end(null, "timeout");
    }, timeoutMs);
    stopping.addEventListener("abort", abandon);
    request.on("response", (response) => {
      response.resume();
      response.on("end", () => end(response.statusCode ?? null, null));
      response.on("error", () => end(null, "connection"));
    });
    request.on("error", () => end(null, "connection"));
    request.end(bytes);
  });
}

function shuffle<Item>(items: Item[]): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [items[last], items[other]] = [items[other], items[last]];
  }
}
