/**
 * `deno task start`: runs the whole backend on this machine until it is interrupted.
 * @module
 */

import { relative } from "node:path";
import { logAs } from "../stack/log.ts";
import { type Stack, startStack } from "../stack/stack.ts";
import { readSettings, type Settings, settingSources } from "../system/settings.ts";
import { interrupted, runTask } from "../system/task.ts";
import { CLOSED, OPEN } from "../system/variables.ts";

await runTask(async () => {
  const interruption = interrupted();
  const startedAt = performance.now();
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`;
  const settings = readSettings();
  console.log(introduction(settings));
  const stack = await startStack(settings, {
    progress: (step) => console.log(`${seconds()}  ${step} ...`),
  });
  const isTerminal = Deno.stdout.isTerminal();
  logAs(settings.logFormat ?? (isTerminal ? "pretty" : "json"), {
    color: isTerminal && !Deno.noColor,
  });
  try {
    console.log(`${seconds()}  ${summary(stack)}`);
    await Promise.race([interruption, stack.failure]);
    console.log("Stopping ...");
  } finally {
    await stack.stop();
  }
  // A timer or connection that a library still holds must not keep the process alive.
  Deno.exit(0);
});

/** Says who may read accounts, where the settings come from, and which parts are stand-ins. */
function introduction(settings: Settings): string {
  return `
  Access     ${access(settings)}
  Operators  ${operators(settings)}
  Settings   ${sources()}
  Stand-ins  ${standIns(settings)}
`;
}

function access({ functionOptions, supabase }: Settings): string {
  const { FRONTEND_ACCESS } = { ...(supabase ? CLOSED : OPEN), ...functionOptions };
  return FRONTEND_ACCESS === "phone-proof"
    ? "phone-proof: a page must prove a phone number before it reads the account"
    : "public: ANYONE WHO KNOWS A PHONE NUMBER CAN READ ITS ACCOUNT\n" +
      "             This is for test data. FRONTEND_ACCESS=phone-proof asks for proof, as when deployed.";
}

function operators({ functionOptions, supabase }: Settings): string {
  const { CONSOLE_SECOND_FACTOR } = { ...(supabase ? CLOSED : OPEN), ...functionOptions };
  if (supabase) return "sign in with the given project's Auth";
  return CONSOLE_SECOND_FACTOR === "off"
    ? "a password will do: the Auth of this stack has no second factor, as a hosted project requires"
    : "nobody can sign in: a second factor is required, and the Auth of this stack has none";
}

function sources(): string {
  const { envFile, environment } = settingSources();
  const parts = [
    ...(envFile.length > 0 ? [`.env (${envFile.join(", ")})`] : []),
    ...(environment.length > 0 ? [`environment (${environment.join(", ")})`] : []),
  ];
  return parts.join("; ") || "none set, so everything is as in .env.example";
}

function standIns({ supabase, razorpay }: Settings): string {
  const played = [
    ...(razorpay ? [] : ["Razorpay (no real money)"]),
    ...(supabase ? [] : ["Supabase's Data API and Auth"]),
  ];
  return played.join(", ") || "none";
}

function summary({ environment, envFile, pages }: Stack): string {
  const url = environment.SUPABASE_URL;
  const path = relative(Deno.cwd(), envFile);
  const file = path.startsWith("..") ? envFile : path;
  return `The backend is ready.

  API        ${url}/functions/v1
  Data API   ${url}/rest/v1
  Contract   ${url}/openapi.json
  Razorpay   ${environment.RAZORPAY_API_URL}
  Account    ${pages.account}
  Console    ${pages.console}
  Database   ${withoutPassword(environment.DATABASE_URL) || "that of the given Supabase project"}
  Secrets    ${file}

Try it in another terminal:

  source ${file}
  curl -H "x-bot-secret: $BOT_SECRET" "$SUPABASE_URL/functions/v1/bot-credits/+919876543210"

For the account page, get a link of that customer's, and for the console, make yourself an operator:

  npx -y deno@${Deno.version.deno} task session +919876543210
  npx -y deno@${Deno.version.deno} task operator add you@example.com --name You --role owner

A bot of yours gets the same variables with: node --env-file=${file} ...

Press Ctrl-C to stop it.
`;
}

function withoutPassword(databaseUrl: string): string {
  return databaseUrl.replace(/:[^:@/]*@/, "@");
}
