/**
 * Sends drawn requests to a backend, several at a time, and checks every answer, the log, the books and
 * the memory of the process.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { OPERATIONS } from "shared/contract/operations.ts";
import { setEnvironment } from "../../stack/stack.ts";
import type { Progress } from "../../system/task.ts";
import { anyDamage, type Damage, STALLED } from "./bytes.ts";
import { judgeExchange, type Settings, type Verdict } from "./judge.ts";
import { type WatchedLog, watchLog } from "./log.ts";
import { type Memory, memoryOf, neededMemory, type Usage } from "./memory.ts";
import { anyRequest, type Attempt, type DrawnRequest } from "./requests.ts";
import { exchange, STUCK_MS } from "./socket.ts";
import { makeWorld, type Target, type World } from "./world.ts";

/** What a run is. */
export interface FuzzOptions {
  readonly requests: number;
  /** Draws the same requests each time. */
  readonly seed: number;
  /** When a request is sent once more that met an outage: what has piled up meanwhile takes its time. */
  readonly afterOutageMs?: number;
  readonly progress: Progress;
}

/** What a run found. */
export interface Found {
  readonly overHttp: number;
  readonly overSockets: number;
  /** Answers of functions, each of which was checked. */
  readonly answers: number;
  /** How often each kind of answer came: `bot-deduct 200 SUCCESS`. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Requests that no function answered: the server or the gateway refused them, or closed the connection. */
  readonly refused: number;
  readonly logLines: number;
  readonly bookChecks: number;
  /** Requests that met an outage, and were answered when they were sent once more. */
  readonly outages: number;
  /** Lines of the log about outages, which the scheduler's requests meet as well. */
  readonly outageLines: number;
  readonly memory: Memory;
  readonly seconds: number;
  readonly missCounts: Readonly<Record<Subject, number>>;
  /** The first of each kind of misses, with their requests. */
  readonly misses: readonly string[];
}

/** What a miss contradicts. */
export type Subject = "answers" | "log" | "books";

/** Settings of the backend that a part of a run is under. */
interface Phase {
  /** The share of all requests, from 0 to 1. */
  readonly share: number;
  readonly variables: Readonly<Record<"FRONTEND_ACCESS" | "CONSOLE_SECOND_FACTOR", string>>;
  readonly areOriginsOpen: boolean;
  readonly areLimitsOn: boolean;
}

/** As on a developer's machine, as hosted, and with the limits that are shipped. */
const PHASES: readonly Phase[] = [
  {
    share: 0.45,
    variables: { FRONTEND_ACCESS: "public", CONSOLE_SECOND_FACTOR: "off" },
    areOriginsOpen: true,
    areLimitsOn: false,
  },
  {
    share: 0.4,
    variables: { FRONTEND_ACCESS: "phone-proof", CONSOLE_SECOND_FACTOR: "required" },
    areOriginsOpen: false,
    areLimitsOn: false,
  },
  {
    share: 0.15,
    variables: { FRONTEND_ACCESS: "public", CONSOLE_SECOND_FACTOR: "off" },
    areOriginsOpen: true,
    areLimitsOn: true,
  },
];

/** Requests that are under way at the same time. */
const CONNECTIONS = 10;

/** Drawn at once. The memory for what is drawn does not grow with the run. */
const BATCH = 200;

/** After so many requests a customer is replaced: fuzzing freezes, merges and erases accounts. */
const RENEW_EVERY = 60;

/** How often in a run it is told how far it is. */
const TIMES_TOLD = 100;
const MIN_TELL_EVERY = 500;

/** How often in a run the memory is measured. Nothing is answered meanwhile. */
const MEASUREMENTS = 16;
const MIN_MEASURE_EVERY = 50;

/** How often in a run the books are checked, which takes longer the more there is in them. */
const BOOK_CHECKS = 20;
const MIN_BOOK_CHECK_EVERY = 5_000;

const AFTER_OUTAGE_MS = 5_000;

/** One in so many requests never arrives in full, which takes as long as the functions wait for it. */
const STALL_EVERY = 4_000;

/** So many misses are kept, and so many of those that begin alike. */
const MAX_MISSES = 200;
const MAX_MISSES_ALIKE = 2;

/** More than a run can count. */
const NO_LIMIT = 1_000_000_000;

/** A request, and the way it goes. */
interface Draw {
  readonly number: number;
  readonly request: DrawnRequest;
  /** What is done to its bytes; undefined for a request of a proper client. */
  readonly damage: Damage | undefined;
}

const anyDraw = fc.record({
  request: anyRequest,
  damage: fc.oneof(
    { weight: 7, arbitrary: fc.constant(undefined) },
    { weight: 3, arbitrary: anyDamage },
  ),
});

/** The requests of a seed. */
function* drawAll(seed: number): Generator<Draw> {
  for (let number = 0;;) {
    for (const draw of fc.sample(anyDraw, { numRuns: BATCH, seed: seed + number })) {
      number++;
      yield number % STALL_EVERY === 0 ? { ...draw, number, damage: STALLED } : { ...draw, number };
    }
  }
}

/** Fuzzes a backend whose functions run in this process and read its environment. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<Found> {
  const log = watchLog(secretsOf(target));
  try {
    return await new Run(target, options, log).run();
  } finally {
    log.stop();
  }
}

/** What neither an answer nor the log may hold. */
function secretsOf({ environment, secrets }: Target): string[] {
  return [
    environment.DATABASE_URL,
    environment.SUPABASE_SECRET_KEY,
    environment.BOT_SECRET,
    environment.RAZORPAY_KEY_SECRET,
    environment.RAZORPAY_WEBHOOK_SECRET,
    environment.ERASURE_SECRET,
    environment.EVENTS_SECRET,
    secrets.jwtSecret,
    secrets.sessionKey.d,
  ];
}

class Run {
  readonly #target: Target;
  readonly #options: FuzzOptions;
  readonly #log: WatchedLog;
  readonly #draws: Generator<Draw>;
  readonly #kinds = new Map<string, number>();
  readonly #misses: string[] = [];
  readonly #memory: Usage[] = [];
  #outages = 0;
  readonly #missCounts: Record<Subject, number> = { answers: 0, log: 0, books: 0 };
  #refused = 0;
  #sent = 0;
  #overSockets = 0;
  #bookChecks = 0;
  #startedAt = performance.now();

  constructor(target: Target, options: FuzzOptions, log: WatchedLog) {
    this.#target = target;
    this.#options = options;
    this.#log = log;
    this.#draws = drawAll(options.seed);
  }

  get #measureEvery(): number {
    return everyOf(this.#options.requests, MEASUREMENTS, MIN_MEASURE_EVERY);
  }

  async run(): Promise<Found> {
    const { sql } = this.#target;
    const shipped = await sql<{ action: string; scope: string; max_count: number }[]>`
      select action, scope, max_count from public.rate_limits`;
    await sql`update public.rate_limits set max_count = ${NO_LIMIT}`;
    const world = await makeWorld(this.#target, this.#log.keepPrivate);
    this.#startedAt = performance.now();
    for (const phase of PHASES) {
      if (phase.areLimitsOn) {
        await sql`delete from public.rate_counters`;
        for (const { action, scope, max_count } of shipped) {
          await sql`
            update public.rate_limits set max_count = ${max_count}
            where action = ${action} and scope = ${scope}`;
        }
      }
      await this.#runPhase(phase, world);
    }
    const seconds = (performance.now() - this.#startedAt) / 1000;
    await this.#checkBooks();
    await this.#checkNewBooks();
    await this.#checkIsAlive();
    for (const fault of this.#log.takeFaults()) this.#miss("log", `${fault} (at the end)`);
    const answers = this.#kinds.values().reduce((sum, count) => sum + count, 0);
    return {
      overHttp: this.#sent - this.#overSockets,
      overSockets: this.#overSockets,
      answers,
      kinds: Object.fromEntries(this.#kinds),
      refused: this.#refused,
      logLines: this.#log.lines,
      bookChecks: this.#bookChecks,
      outages: this.#outages,
      outageLines: this.#log.outages,
      memory: memoryOf(this.#memory, this.#measureEvery),
      seconds,
      missCounts: this.#missCounts,
      misses: this.#misses,
    };
  }

  async #runPhase({ share, variables, areOriginsOpen }: Phase, world: World): Promise<void> {
    const { environment } = this.#target;
    const allowedOrigins = areOriginsOpen ? "*" : new URL(environment.FRONTEND_URL).origin;
    setEnvironment({ ...variables, ALLOWED_ORIGINS: allowedOrigins });
    const settings: Settings = {
      secondFactor: { isRequired: variables.CONSOLE_SECOND_FACTOR === "required" },
      allowedOrigins,
      consoleOrigin: environment.CONSOLE_ORIGIN,
      frontendUrl: environment.FRONTEND_URL,
      secrets: secretsOf(this.#target),
    };
    let left = Math.round(this.#options.requests * share);
    const work = async () => {
      while (left-- > 0) {
        const { value: draw } = this.#draws.next();
        if (draw.number % RENEW_EVERY === 0) await world.renew();
        await this.#send(draw, settings, world);
      }
    };
    const working = Array.from({ length: CONNECTIONS }, work);
    await Promise.all(working).catch(async (error) => {
      left = 0;
      await Promise.allSettled(working);
      throw error;
    });
  }

  async #send(draw: Draw, settings: Settings, world: World): Promise<void> {
    const attempt = draw.request(world);
    const verdict = await this.#verdictInTheEnd(attempt, draw.damage, settings, world);
    if (verdict.kinds.length === 0) this.#refused++;
    for (const kind of verdict.kinds) this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    const how = () =>
      `request ${draw.number} of seed ${this.#options.seed}: ${this.#shown(attempt)}`;
    for (const fault of verdict.faults) this.#miss("answers", `${fault} (${how()})`);
    // Several requests are under way, so a line may be of another one of them.
    for (const fault of this.#log.takeFaults()) this.#miss("log", `${fault} (at ${how()})`);
    const { requests } = this.#options;
    this.#sent++;
    if (this.#sent % this.#measureEvery === 0) {
      this.#memory.push(neededMemory());
    }
    if (this.#sent % everyOf(requests, TIMES_TOLD, MIN_TELL_EVERY) === 0) this.#tellHowFar();
    if (this.#sent % everyOf(requests, BOOK_CHECKS, MIN_BOOK_CHECK_EVERY) === 0) {
      await this.#checkBooks();
      await this.#putOffChecks();
    }
  }

  /**
   * The verdict on a request, which is sent once more if it met an outage: a machine that stands still for
   * longer than the functions wait for the database is none that has failed.
   */
  async #verdictInTheEnd(
    attempt: Attempt,
    damage: Damage | undefined,
    settings: Settings,
    world: World,
  ): Promise<Verdict> {
    const send = () =>
      this.#verdictOf(attempt, damage, settings, world).catch((error): Verdict => ({
        kinds: [],
        outages: [],
        faults: [`there was no answer: ${error}`],
      }));
    const first = await send();
    if (first.outages.length === 0) return first;
    await delay(this.#options.afterOutageMs ?? AFTER_OUTAGE_MS);
    const second = await send();
    if (second.outages.length === 0) this.#outages++;
    return {
      kinds: [...first.kinds, ...second.kinds],
      outages: [],
      faults: [
        ...first.faults,
        ...second.faults,
        ...second.outages.map((kind) => `it fails, and when it is sent once more: ${kind}`),
      ],
    };
  }

  async #verdictOf(
    attempt: Attempt,
    damage: Damage | undefined,
    settings: Settings,
    world: World,
  ): Promise<Verdict> {
    const url = new URL(this.#target.address);
    // A damaged one would be another method, and its answer could not be told from a cut one.
    if (damage === undefined || attempt.method === "HEAD" || attempt.method === "OPTIONS") {
      return await this.#fetched(attempt, url, settings, world);
    }
    this.#overSockets++;
    // Damage to an origin would change what the answer has to say about it.
    const headers = attempt.headers.filter(([name]) => name !== "origin");
    const sent = { ...attempt, headers };
    const wire = damage(sent, url.host);
    const address = { hostname: url.hostname, port: Number(url.port) };
    const received = await exchange(address, wire);
    return judgeExchange(sent, received, wire, settings, world);
  }

  async #fetched(attempt: Attempt, url: URL, settings: Settings, world: World): Promise<Verdict> {
    const { method, target, headers, body } = attempt;
    const response = await fetch(url.origin + target, {
      method,
      headers: headers.map(([name, value]): [string, string] => [name, value]),
      body: body ?? null,
      redirect: "manual",
      signal: AbortSignal.timeout(STUCK_MS),
    });
    const text = await response.text();
    const answer = { httpStatus: response.status, headers: response.headers, text };
    const received = { answers: [answer], rest: "", isStuck: false, isClosed: false };
    return judgeExchange(attempt, received, { isMangled: false }, settings, world);
  }

  #miss(subject: Subject, miss: string): void {
    this.#missCounts[subject]++;
    const beginning = miss.slice(0, miss.search(/[:(]|$/));
    const alike = this.#misses.filter((other) => other.startsWith(beginning)).length;
    if (this.#misses.length >= MAX_MISSES || alike >= MAX_MISSES_ALIKE) return;
    this.#misses.push(miss);
    // At once, because a run may take an hour.
    this.#tell(`missed: ${miss}`);
  }

  /** A request as somebody can send it again: with the names of secrets in their place. */
  #shown({ caller, method, target, headers, body }: Attempt): string {
    const text = JSON.stringify({
      caller,
      method,
      target,
      headers,
      body: body && new TextDecoder().decode(body),
    });
    const { environment } = this.#target;
    const secrets = Object.entries(environment).filter(([name]) => /SECRET/.test(name));
    return secrets.reduce((shown, [name, value]) => shown.replaceAll(value, `$${name}`), text)
      .replaceAll(/(.)\1{99,}/g, (run, character) => `${character} (${run.length} times)`)
      .slice(0, 3_000);
  }

  #tellHowFar(): void {
    const rate = this.#sent / ((performance.now() - this.#startedAt) / 1000);
    const [sent, all] = [this.#sent, this.#options.requests].map((n) => n.toLocaleString("en"));
    this.#tell(
      `${sent} of ${all} requests, ${rate.toFixed(0)} a second, ${allOf(this.#missCounts)} misses`,
    );
  }

  #tell(step: string): void {
    this.#log.aside(() => this.#options.progress(step));
  }

  async #checkBooks(): Promise<void> {
    const violations = await this.#target.sql`
      select invariant, subject, detail from public.check_invariants()`;
    this.#bookChecks++;
    for (const { invariant, subject, detail } of violations) {
      this.#miss("books", `the books are wrong: ${invariant} ${subject} ${JSON.stringify(detail)}`);
    }
  }

  /**
   * Razorpay is asked about each order once. The reconciler would ask for days about each that was never
   * paid, which in a long run are so many that it would do little else.
   */
  async #putOffChecks(): Promise<void> {
    await this.#target.sql`
      update public.payment_orders set next_check_at = next_check_at + interval '1 day'
      where checked_at is not null and next_check_at < clock_timestamp() + interval '12 hours'`;
  }

  /** The check of what is new, for all that was ever new. */
  async #checkNewBooks(): Promise<void> {
    const violations = await this.#target.sql`
      select invariant, subject, detail from public.check_invariants(since => '-infinity')`;
    this.#bookChecks++;
    for (const { invariant, subject } of violations) {
      this.#miss(
        "books",
        `the check of new entries finds the books wrong: ${invariant} ${subject}`,
      );
    }
  }

  async #checkIsAlive(): Promise<void> {
    for (const { name } of OPERATIONS) {
      const response = await fetch(`${this.#target.address}/functions/v1/${name}`, {
        method: "OPTIONS",
      });
      await response.body?.cancel();
      if (response.status !== 204) this.#miss("answers", `${name} does not answer any more`);
    }
  }
}

/** How many misses there were of every subject. */
export function allOf(missCounts: Found["missCounts"]): number {
  return Object.values(missCounts).reduce((sum, count) => sum + count, 0);
}

/** After how many requests something happens again that happens so often in a run. */
function everyOf(requests: number, times: number, least: number): number {
  return Math.max(least, Math.ceil(requests / times));
}
