/**
 * `deno task start`: runs the whole backend on this machine until it is interrupted.
 * @module
 */

import { relative } from "node:path";
import { type Stack, startStack } from "../stack/stack.ts";
import { readSettings } from "../system/settings.ts";
import { interrupted, runTask } from "../system/task.ts";

await runTask(async () => {
  const interruption = interrupted();
  const stack = await startStack(readSettings(), (step) => console.log(`${step} ...`));
  try {
    console.log(summary(stack));
    await Promise.race([interruption, stack.failure]);
    console.log("Stopping ...");
  } finally {
    await stack.stop();
  }
  // A timer or connection that a library still holds must not keep the process alive.
  Deno.exit(0);
});

function summary({ environment, envFile }: Stack): string {
  const url = environment.SUPABASE_URL;
  const file = relative(Deno.cwd(), envFile);
  return `
The backend is ready.

  API        ${url}/functions/v1
  Data API   ${url}/rest/v1
  Contract   ${url}/openapi.json
  Razorpay   ${environment.RAZORPAY_API_URL}
  Database   ${withoutPassword(environment.DATABASE_URL) || "that of the given Supabase project"}
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
