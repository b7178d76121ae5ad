/**
 * What has arrived and is to be done: on disk before it is acknowledged, so that a bot that is stopped
 * or killed loses nothing, and each thing once, however often it arrives.
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

/** What there is to do. */
export type Kind = "message" | "event";

/** Does it. Whatever throws is tried again. */
export type Act = (kind: Kind, content: string) => Promise<void>;

/** Says when it is of use to try again. */
export class TryLater extends Error {
  readonly at: Date;

  constructor(at: Date) {
    super(`not before ${at.toISOString()}`);
    this.at = at;
  }
}

/** Says that there is no use in trying again. */
export class GiveUp extends Error {}

interface Row {
  readonly id: string;
  readonly kind: Kind;
  readonly content: string;
  readonly attempts: number;
}

const TABLES = `
  create table if not exists inbox (
    id text primary key,
    kind text not null,
    content text not null,
    attempts integer not null default 0,
    due_at_ms integer,
    arrived_at_ms integer not null
  ) strict;
  create index if not exists inbox_due on inbox (due_at_ms) where due_at_ms is not null;
  create index if not exists inbox_done on inbox (arrived_at_ms) where due_at_ms is null;
  create table if not exists newest (
    user_id text primary key,
    sequence_number integer not null,
    happened_at text not null
  ) strict`;

const MOST_AT_ONCE = 20;
const ATTEMPTS = 8;
const STOP_TIMEOUT_MS = 10_000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** WhatsApp delivers again for 7 days, and the backend for 3. */
const KEPT_MS = 8 * DAY_MS;

/** The inbox of one bot. */
export class Inbox {
  readonly #database: DatabaseSync;
  readonly #act: Act;
  readonly #underWay = new Map<string, Promise<void>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;
  #isClosed = false;

  /** Opens the file, and goes on with what is not done. */
  constructor(file: string, act: Act) {
    this.#database = new DatabaseSync(file);
    this.#database.exec(`pragma journal_mode = wal; ${TABLES}`);
    this.#act = act;
    this.#work();
  }

  /** Keeps what has arrived, unless it has arrived before. */
  add(kind: Kind, id: string, content: string): void {
    const now = Date.now();
    this.#database
      .prepare(
        `insert into inbox (id, kind, content, due_at_ms, arrived_at_ms) values (?, ?, ?, ?, ?)
         on conflict do nothing`,
      )
      .run(`${kind} ${id}`, kind, content, now, now);
    this.#work();
  }

  /** Keeps the newest event of each user, and returns whether none is newer than this one. */
  isNewest(userId: string, sequenceNumber: number, happenedAt: string): boolean {
    this.#database
      .prepare(
        `insert into newest values (?, ?, ?)
         on conflict (user_id) do update
         set sequence_number = excluded.sequence_number, happened_at = excluded.happened_at
         where (excluded.sequence_number, excluded.happened_at) > (sequence_number, happened_at)`,
      )
      .run(userId, sequenceNumber, happenedAt);
    const newest = this.#database.prepare("select * from newest where user_id = ?").get(userId);
    return newest?.sequence_number === sequenceNumber && newest.happened_at === happenedAt;
  }

  /** Waits a while for what is under way. What does not end is done by the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const all = Promise.all(this.#underWay.values());
    await Promise.race([all, delay(STOP_TIMEOUT_MS, undefined, { ref: false })]);
    this.#isClosed = true;
    this.#database.close();
  }

  /** Does what is due, and waits for what is due next. */
  #work(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    const now = Date.now();
    this.#database.prepare("delete from inbox where due_at_ms is null and arrived_at_ms < ?")
      .run(now - KEPT_MS);
    for (const row of this.#waiting(now)) {
      if (this.#underWay.size === MOST_AT_ONCE) return;
      this.#underWay.set(row.id, this.#do(row));
    }
    const next = this.#nextDue(now);
    if (next !== undefined) {
      this.#timer = setTimeout(() => this.#work(), Math.min(next - now, DAY_MS));
    }
  }

  #waiting(now: number): Row[] {
    const rows = this.#database
      .prepare(
        `select id, kind, content, attempts from inbox
         where due_at_ms <= ? order by due_at_ms limit ${2 * MOST_AT_ONCE}`,
      )
      .all(now) as unknown as Row[];
    return rows.filter(({ id }) => !this.#underWay.has(id));
  }

  #nextDue(now: number): number | undefined {
    const row = this.#database
      .prepare("select min(due_at_ms) as next from inbox where due_at_ms > ?").get(now);
    return (row?.next ?? undefined) as number | undefined;
  }

  async #do({ id, kind, content, attempts }: Row): Promise<void> {
    let dueAt: number | null = null;
    try {
      await this.#act(kind, content);
    } catch (error) {
      dueAt = nextAttempt(error, attempts + 1);
      const what = dueAt === null ? "is given up" : "will be tried again";
      console.error(`${kind} ${what}: ${withoutNumbers(error)}`);
    }
    this.#underWay.delete(id);
    if (this.#isClosed) return;
    // What is done is kept without its content, to be known if it arrives again.
    this.#database
      .prepare(
        `update inbox set due_at_ms = ?1, attempts = attempts + 1,
           content = case when ?1 is null then '' else content end
         where id = ?2`,
      )
      .run(dueAt, id);
    this.#work();
  }
}

/** No customer's number belongs in a log. */
function withoutNumbers(error: unknown): string {
  return String(error).replaceAll(/[0-9]{7,}/g, "...");
}

function nextAttempt(error: unknown, attempts: number): number | null {
  if (error instanceof TryLater) return Math.max(error.at.getTime(), Date.now() + 1000);
  if (error instanceof GiveUp || attempts === ATTEMPTS) return null;
  return Date.now() + 1000 * 2 ** attempts;
}
