/**
 * A whole WhatsApp bot: `deno run -A --env-file=... examples/whatsapp-bot/main.ts`. docs/bot.md says how
 * to connect it with WhatsApp.
 * @module
 */

import process from "node:process";
import { startBot } from "./server.ts";
import { readSettings } from "./settings.ts";

const settings = readSettings(process.env);
const bot = await startBot(settings);
console.log(`WhatsApp's webhook: ${bot.url}/webhook. EVENTS_URL of the backend: ${bot.url}/events`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => bot.stop().then(() => process.exit()));
}
