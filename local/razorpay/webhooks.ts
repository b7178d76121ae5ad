/**
 * Delivers webhook events: signature, headers, retries, and the disabling of a webhook that has
 * failed for a day.
 *
 * The waits are those that github.com/LokarajR/Raze measured in 796 real deliveries: retries at
 * doubling offsets from the first attempt, for 22.8 hours. Payment events that meet a 5xx or a
 * dropped connection are also retried after 0.23 s.
 * @module
 */

import { createHmac } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { EventName } from "./event-names.ts";
import { newEventId } from "./ids.ts";
import type { StandInSettings } from "./settings.ts";

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

/** One POST to the receiver. `duplicate` and `replay` are not part of the schedule of retries. */
interface Attempt {
  readonly kind: "first" | "retry" | "duplicate" | "replay";
  /** Unix milliseconds. */
  readonly at_ms: number;
  /** The status of the receiver's response, or null if there was none. */
  readonly status: number | null;
  /** Why there was no response. */
  readonly error: "timeout" | "connection" | null;
  readonly duration_ms: number;
}

/** An event, with everything that it takes to send the same bytes again. */
export interface WebhookEvent {
  readonly id: string;
  readonly event: EventName;
  readonly body: string;
  signature: string;
  /** When the first attempt was due, in Unix milliseconds. The offsets of retries start here. */
  started_at_ms: number;
  /** `held`: not sent yet. `failed`: given up, or the webhook was disabled in the meantime. */
  state: "held" | "pending" | "delivered" | "failed";
  attempts: Attempt[];
}

/** How to send kept events again. */
interface Redelivery {
  /** Whether to send copies with new event ids, which the signature does not cover. */
  readonly new_event_ids: boolean;
  /** Whether to sign with the current secret or to repeat the original signature. */
  readonly signature: "current" | "original";
  /** Whether to send them all without waiting for each other. */
  readonly at_once: boolean;
}

/** The webhook of one account. */
export class Webhooks {
  readonly #events: Map<string, WebhookEvent>;
  readonly #settings: StandInSettings;
  readonly #save: () => Promise<void>;
  /** The events of the action in progress. */
  #batch: WebhookEvent[] | undefined;
  readonly #pending = new Set<WebhookEvent>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #stopping = new AbortController();
  /** The checks of pending calls of {@linkcode settled}, run whenever an event has changed. */
  readonly #waiting = new Set<() => void>();
  /** Resolves when the last of the events that are sent one after the other has been sent. */
  #queue: Promise<void> = Promise.resolve();
  /** How many POSTs have started or are certain to follow, not counting retries. */
  #postsDue = 0;

  /** `save` is called when an event has changed, and never rejects. */
  constructor(
    events: Map<string, WebhookEvent>,
    settings: StandInSettings,
    save: () => Promise<void>,
  ) {
    this.#events = events;
    this.#settings = settings;
    this.#save = save;
  }

  /** Whether there is a URL to send to, and Razorpay has not disabled it. */
  get canSend(): boolean {
    return this.#settings.webhooks_enabled && this.#settings.webhook_url !== null;
  }

  /** All events that are kept, oldest first. */
  get events(): WebhookEvent[] {
    return [...this.#events.values()];
  }

  /** Forgets the events that are not being delivered. */
  forget(): void {
    for (const event of this.events) {
      if (!this.#pending.has(event)) this.#events.delete(event.id);
    }
  }

  /**
   * Runs an action, and then sends the events that it emitted together, or holds them back. The
   * action has to be synchronous, so that no other action's events get between its own.
   */
  batch<Result>(deliver: boolean, action: () => Result): Result {
    const batch: WebhookEvent[] = [];
    this.#batch = batch;
    try {
      return action();
    } finally {
      this.#batch = undefined;
      if (deliver) this.#send(batch);
    }
  }

  /** Emits an event as part of the current batch, or as a batch of its own. */
  emit(event: EventName, body: string): void {
    const { webhook_events, webhook_event_copies } = this.#settings;
    // Razorpay does not create events that the webhook does not subscribe to.
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

  /** Sends kept events in the given order. Held ones start their schedule of retries. */
  redeliver(
    eventIds: readonly string[],
    { new_event_ids, signature, at_once }: Redelivery,
  ): WebhookEvent[] {
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
   * Sends the events that a stop interrupted. Their retries start over: the receiver may have been
   * stopped as well, and that time must not count.
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
   * Waits until no event is being delivered or, for `attempted`, until the first attempt of each is
   * over, and returns true. Returns false if that takes longer than the timeout.
   */
  settled(until: "finished" | "attempted", timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (settled: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        this.#stopping.signal.removeEventListener("abort", giveUp);
        resolve(settled);
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

  /** Ends every timer and connection. Undelivered events stay pending for {@linkcode resume}. */
  stop(): void {
    this.#stopping.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #send(batch: readonly WebhookEvent[]): void {
    if (!this.canSend) return;
    const { webhook_order } = this.#settings;
    this.#start(reordered(batch, webhook_order), webhook_order === "at_once");
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
    void this.#save();
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

  #start(batch: readonly WebhookEvent[], atOnce: boolean): void {
    const held = batch.filter((event) => event.state === "held");
    for (const event of held) {
      event.state = "pending";
      event.started_at_ms = Date.now();
      this.#pending.add(event);
    }
    const send = (event: WebhookEvent) =>
      held.includes(event) ? this.#sendFirst(event) : this.#replay(event);
    if (atOnce) {
      for (const event of batch) void send(event);
    } else {
      this.#postsDue += batch.length;
      this.#queue = this.#queue.then(() => this.#sendInTurn(batch, send));
    }
  }

  async #sendInTurn(
    batch: readonly WebhookEvent[],
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
  async #sendFirst(event: WebhookEvent): Promise<void> {
    // The webhook may have been disabled while the event was waiting for its turn.
    if (event.state !== "pending") return;
    for (let count = 1; count <= this.#settings.webhook_duplicates; count++) {
      this.#postsDue++;
      this.#after(count * QUICK_RETRY_MS * this.#settings.webhook_time_factor, () => {
        const posted = this.#post(event, "duplicate");
        this.#postsDue--;
        void posted;
      });
    }
    await this.#attempt(event, "first");
  }

  async #replay(event: WebhookEvent): Promise<void> {
    const attempt = await this.#post(event, "replay");
    if (isSuccess(attempt)) this.#finish(event, "delivered");
  }

  /** Makes one attempt of the schedule, and schedules the next one if it fails. */
  async #attempt(event: WebhookEvent, kind: "first" | "retry"): Promise<void> {
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
      // Razorpay disables the webhook and sends an e-mail. The merchant has to enable it again.
      this.#settings.webhooks_enabled = false;
      this.giveUp();
      return;
    }
    const dueMs = event.started_at_ms + offsetMs * this.#settings.webhook_time_factor;
    this.#after(Math.max(0, dueMs - Date.now()), () => {
      if (event.state === "pending") void this.#attempt(event, "retry");
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
    this.#postsDue++;
    // Razorpay reports nothing that it forgets. A stand-in that is killed must not either.
    await this.#save();
    const startedMs = Date.now();
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

  #after(delayMs: number, action: () => void): void {
    if (this.#stopping.signal.aborted) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, Math.ceil(delayMs));
    this.#timers.add(timer);
  }

  #changed(): void {
    void this.#save();
    for (const check of [...this.#waiting]) check();
  }

  #isSettled(until: "finished" | "attempted"): boolean {
    if (this.#postsDue > 0) return false;
    if (until === "finished") return this.#pending.size === 0;
    return [...this.#pending].every((event) => event.attempts.length > 0);
  }
}

/** Razorpay counts any 2xx as success and retries after any other response, even a 4xx. */
function isSuccess({ status }: Attempt): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** Returns the next attempt's offset from the first, or undefined if all have been made. */
function nextOffsetMs(event: WebhookEvent): number | undefined {
  const scheduled = event.attempts.filter(({ kind }) => kind === "first" || kind === "retry");
  const [first] = scheduled;
  const brokeDown = first !== undefined &&
    (first.error === "connection" || (first.status !== null && first.status >= 500));
  const offsetsMs = brokeDown && QUICKLY_RETRIED.includes(event.event)
    ? [QUICK_RETRY_MS, ...RETRY_OFFSETS_MS]
    : RETRY_OFFSETS_MS;
  return offsetsMs[scheduled.length - 1];
}

/**
 * Sends one event with the headers that Razorpay sends. This uses `node:http` because `fetch` adds
 * headers of its own and, on a reused connection, may send a POST twice.
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

function reordered<Item>(
  items: readonly Item[],
  order: StandInSettings["webhook_order"],
): readonly Item[] {
  if (order === "reversed") return items.toReversed();
  return order === "shuffled" ? shuffled(items) : items;
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, position: Math.random() }))
    .sort((one, other) => one.position - other.position)
    .map(({ item }) => item);
}
