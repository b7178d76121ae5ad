/**
 * Calls the functions that a scheduler calls, as Supabase Cron does for a hosted project.
 * @module
 */

import type { StackEnvironment } from "./environment.ts";

/** A function that is called again and again. */
interface Schedule {
  readonly name: string;
  readonly intervalMs: number;
  /** How many calls may be under way; while there are as many, none is added. */
  readonly maxAtOnce: number;
}

/** The functions that a hosted project has called as well, in the database's scheduled_jobs.sql. */
export const SCHEDULES: readonly Schedule[] = [
  { name: "reconcile-payments", intervalMs: 60_000, maxAtOnce: 1 },
  // A call may take long, because an address is slow, and must not keep another address waiting.
  { name: "deliver-events", intervalMs: 1_000, maxAtOnce: 4 },
];

/** How the scheduler's requests are told from others in the log. */
export const SCHEDULER_REQUEST_ID = "embedded-scheduler";

/**
 * Starts the schedules; without an address for events, nothing is to be delivered. Stopping gives up
 * the calls in progress, which may be repeated safely.
 */
export function startScheduler(
  { SUPABASE_URL, SUPABASE_SECRET_KEY }: StackEnvironment,
  { hasEventAddress }: { hasEventAddress: boolean },
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const calls = new Set<Promise<void>>();
  const schedules = SCHEDULES.filter(({ name }) => hasEventAddress || name !== "deliver-events");
  const timers = schedules.map((schedule) => {
    let underWay = 0;
    return setInterval(() => {
      if (underWay === schedule.maxAtOnce) return;
      underWay++;
      const call = invoke(schedule.name).finally(() => {
        underWay--;
        calls.delete(call);
      });
      calls.add(call);
    }, schedule.intervalMs);
  });

  async function invoke(name: string): Promise<void> {
    try {
      const response = await fetch(`${SUPABASE_URL}/functions/v1/${name}`, {
        method: "POST",
        headers: {
          apikey: SUPABASE_SECRET_KEY,
          "content-type": "application/json",
          "x-request-id": SCHEDULER_REQUEST_ID,
        },
        body: "{}",
        signal: stopping.signal,
      });
      // The function logs its own failures.
      await response.body?.cancel();
    } catch (error) {
      if (!stopping.signal.aborted) console.error(`${name} failed:`, error);
    }
  }

  return {
    async stop() {
      for (const timer of timers) clearInterval(timer);
      stopping.abort();
      await Promise.all(calls);
    },
  };
}
