/**
 * What a WhatsApp bot does with the events of this backend: it believes only what is signed, handles
 * each once, and never shows an old balance.
 *
 * Needs the npm package `standardwebhooks`, on Node.js or Deno, and the variables SUPABASE_URL,
 * BOT_SECRET and EVENTS_SECRET. Serve `onEvent` at an address that EVENTS_URL names.
 * @module
 */

import process from "node:process";
import { Webhook } from "standardwebhooks";
import { callBackend } from "./bot.ts";

/** While the secret is changed, events are signed with both, so one is enough here. */
const webhook = new Webhook(process.env.EVENTS_SECRET ?? "");

/** An event. What `data` holds besides depends on the type; openapi.json lists it under `webhooks`. */
interface Event {
  readonly type: string;
  /** When it happened, in ISO 8601. */
  readonly timestamp: string;
  readonly data: {
    readonly event_id: string;
    readonly user_id: string | null;
    readonly phone_number?: string;
    readonly credits_added?: number;
    readonly credits_taken?: number;
  };
}

/** What your bot provides. */
export interface Bot {
  /** Whether an event of this id was handled before. Keep the ids for a week. */
  isHandled(eventId: string): Promise<boolean>;
  handled(eventId: string): Promise<void>;
  send(phoneNumber: string, text: string): Promise<void>;
}

/** The backend tells of an event. */
export async function onEvent(request: Request, bot: Bot): Promise<Response> {
  const body = await request.text();
  let event: Event;
  try {
    // Throws if the signature is wrong, or older than five minutes.
    event = webhook.verify(body, Object.fromEntries(request.headers)) as Event;
  } catch {
    return new Response(null, { status: 401 });
  }

  const { event_id } = event.data;
  if (!await bot.isHandled(event_id)) {
    await tell(event, bot);
    await bot.handled(event_id);
  }
  // Whatever is not acknowledged comes again.
  return new Response(null, { status: 204 });
}

async function tell({ type, data }: Event, bot: Bot): Promise<void> {
  const news = {
    "credits.granted": `${counted(data.credits_added)} arrived.`,
    "payment.failed": "The payment failed. You can try again.",
    "credits.taken_back": `${counted(data.credits_taken)} been taken back.`,
    "credits.restored": "Your credits are there again.",
    "hold.expired": "That took too long. Nothing was charged.",
  }[type];
  // The bot says in its own replies that a balance is low.
  if (news === undefined || data.phone_number === undefined) return;
  const balance = data.user_id === null ? "" : ` ${await balanceOf(data.phone_number)}`;
  await bot.send(data.phone_number, `${news}${balance}`);
}

function counted(credits: number | undefined): string {
  return credits === 1 ? "1 credit has" : `${credits} credits have`;
}

/** An event may arrive hours after it happened, so its own balance may be an old one. */
async function balanceOf(phoneNumber: string): Promise<string> {
  return (await callBackend(`bot-credits/${encodeURIComponent(phoneNumber)}`)).message;
}
