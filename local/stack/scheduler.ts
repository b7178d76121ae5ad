/**
 * Calls reconcile-payments every minute, as Supabase Cron does for a hosted project.
 * @module
 */

import type { StackEnvironment } from "./environment.ts";

const INTERVAL_MS = 60_000;

/** How the scheduler's requests are told from others in the log. */
export const SCHEDULER_REQUEST_ID = "embedded-scheduler";

/** Starts the schedule. Stopping waits for a run in progress. */
export function startScheduler(
  { SUPABASE_URL, SUPABASE_SECRET_KEY }: StackEnvironment,
): { stop(): Promise<void> } {
  let run = Promise.resolve();
  const timer = setInterval(() => {
    run = run.then(reconcile).catch((error) => console.error("reconcile-payments failed:", error));
  }, INTERVAL_MS);

  async function reconcile(): Promise<void> {
    const response = await fetch(`${SUPABASE_URL}/functions/v1/reconcile-payments`, {
      method: "POST",
      headers: {
        apikey: SUPABASE_SECRET_KEY,
        "content-type": "application/json",
        "x-request-id": SCHEDULER_REQUEST_ID,
      },
      body: "{}",
    });
    // The function logs its own failures.
    await response.body?.cancel();
  }

  return {
    async stop() {
      clearInterval(timer);
      await run;
    },
  };
}
