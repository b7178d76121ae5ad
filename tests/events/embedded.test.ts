/**
 * The embedded stack tells a listening bot of a paid link by itself, whatever was down meanwhile.
 * @module
 */

import { strictEqual } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { connectControl } from "../../local/razorpay/control-client.ts";
import type { StackEnvironment } from "../../local/stack/environment.ts";
import { acknowledged, listenForEvents } from "../../local/prove/load/event-listener.ts";
import { closedUrl } from "../support/faulty-servers.ts";
import { one } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { end, newStackFolder, ready, runLocal } from "../../local/stack/stack-process.ts";

const EVENTS_SECRET = `whsec_${randomBytes(32).toString("base64")}`;

/** Buys credits by a link in the chat, and pays it. Razorpay then calls the webhook by itself. */
async function payLink(stack: StackEnvironment, reference_id: string): Promise<void> {
  const response = await fetch(`${stack.SUPABASE_URL}/functions/v1/bot-payment-link`, {
    method: "POST",
    headers: { "x-bot-secret": stack.BOT_SECRET, "content-type": "application/json" },
    body: JSON.stringify({ phone_number: newPhoneNumber(), package_id: "starter", reference_id }),
  });
  const { data } = await response.json();
  const sql = postgres(stack.DATABASE_URL, { max: 1 });
  try {
    const { id } = one(
      await sql`
      select razorpay_payment_link_id as id from public.payment_orders
      where short_url = ${data.short_url}`,
    );
    await connectControl(stack.RAZORPAY_API_URL).payPaymentLink(id, { outcome: "captured" });
  } finally {
    await sql.end();
  }
}

Deno.test("a paid link is told by itself, also if the bot was down, or the stack was killed meanwhile", async () => {
  const url = `${closedUrl()}/events`;
  const port = Number(new URL(url).port);
  const variables = { EVENTS_URL: url, EVENTS_SECRET };
  await using folder = await newStackFolder();
  const stack = runLocal("start", folder, variables);
  const environment = await ready(stack, folder);
  strictEqual(environment.EVENTS_SECRET, EVENTS_SECRET);

  // Nobody listens yet.
  await payLink(environment, "message-1");
  await using bot = listenForEvents(EVENTS_SECRET, { port });
  const about = (reference: string) =>
    bot.waitFor(reference, ({ data }) => data.reference_id === reference);
  const { type, data } = await about("message-1");
  strictEqual(type, "credits.granted");
  strictEqual(data.credits_added, 20);

  await payLink(environment, "message-2");
  await about("message-2");

  // Killed while the bot has got the event and has not answered.
  const answer = Promise.withResolvers<Response>();
  bot.behave(() => answer.promise);
  await payLink(environment, "message-3");
  await about("message-3");
  await end(stack, "SIGKILL", folder);
  answer.resolve(acknowledged());
  bot.behave(acknowledged);
  const before = bot.arrivals.length;
  const restarted = runLocal("start", folder, variables);
  const { DATABASE_URL } = await ready(restarted, folder);
  const sql = postgres(DATABASE_URL, { max: 1 });
  try {
    // Not to wait until the claim of the killed one expires.
    await sql`
      update public.event_deliveries set next_attempt_at = clock_timestamp() where state = 'pending'`;
  } finally {
    await sql.end();
  }
  await bot.waitFor("it is sent again", () => bot.arrivals.length > before);
  strictEqual(bot.arrivals.at(-1)?.data.reference_id, "message-3");
  strictEqual(bot.unsigned.length, 0);
  await end(restarted, "SIGTERM", folder);
});
