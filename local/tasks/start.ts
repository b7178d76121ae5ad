/**
 * `deno task start`: the whole backend on this machine, until it is told to stop.
 * @module
 */

import { relative } from "node:path";
import { type Stack, startStack } from "../stack/stack.ts";
import { launcherEnded } from "../system/launcher.ts";
import { readSettings } from "../system/settings.ts";
import { runTask } from "../system/task.ts";

await runTask(async () => {
  const ending = Promise.race([interrupted(), launcherEnded()]);
  const stack = await startStack(readSettings(), (step) => console.log(`${step} ...`));
  try {
    console.log(summary(stack));
    await Promise.race([ending, stack.failure]);
    console.log("Stopping ...");
  } finally {
    await stack.stop();
  }
  // A timer or a connection that some library keeps must not hold the process.
  Deno.exit(0);
});

/** Resolves at the first signal that asks this process to end. */
function interrupted(): Promise<void> {
  const signals: Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  return new Promise((resolve) => {
    for (const signal of signals) Deno.addSignalListener(signal, resolve);
  });
}

function summary({ environment, envFile }: Stack): string {
  const url = environment.SUPABASE_URL;
  const file = relative(Deno.cwd(), envFile);
  return `
The backend is ready.

  API        ${url}/functions/v1
  Data API   ${url}/rest/v1
  Contract   ${url}/openapi.json
  Razorpay   ${environment.RAZORPAY_API_URL}
  Database   ${withoutPassword(environment.DATABASE_URL) || "of the given Supabase project"}
  Secrets    ${file}

Try it in another terminal:

  source ${file}
  curl -H "x-bot-secret: $BOT_SECRET" "$SUPABASE_URL/functions/v1/bot-credits/+919876543210"

Press Ctrl-C to stop it.
`;
}

function withoutPassword(databaseUrl: string): string {
  return databaseUrl.replace(/:[^:@/]*@/, "@");
}
