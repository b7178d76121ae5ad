/**
 * What the bot tells a customer when the backend tells the bot of an event.
 * @module
 */

import { Webhook } from "standardwebhooks";
import { z } from "zod";
import { ACCOUNT_FROZEN, offerCredits } from "../bot.ts";
import { balanceOf } from "./decisions.ts";
import type { Inbox } from "./inbox.ts";
import type { Replies } from "./replies.ts";

/** An event, as far as the bot reads it. openapi.json describes all of it under `webhooks`. */
const eventBody = z.object({
  type: z.string(),
  timestamp: z.iso.datetime(),
  data: z.object({
    event_id: z.string(),
    user_id: z.string().nullable(),
    phone_number: z.string().optional(),
    sequence_number: z.int().nullable(),
    source: z.string().optional(),
    credits_added: z.int().optional(),
    credits_taken: z.int().optional(),
    package_id: z.string().optional(),
  }),
});

type Event = z.infer<typeof eventBody>;

/** Returns the id of an event, or undefined unless the backend has signed it, in the last minutes. */
export function verifiedId(
  body: string,
  headers: Readonly<Record<string, string>>,
  secret: string,
): string | undefined {
  try {
    new Webhook(secret).verify(body, headers);
    return headers["webhook-id"];
  } catch {
    return undefined;
  }
}

/** Tells the customer what has happened. */
export async function tell(body: string, replies: Replies, inbox: Inbox): Promise<void> {
  const event = eventBody.parse(JSON.parse(body));
  const { event_id, phone_number, package_id } = event.data;
  const isNewest = isNewestOf(event, inbox);
  const news = newsIn(event);
  if (news === undefined || phone_number === undefined) return;

  const to = phone_number.replace("+", "");
  if (event.type === "payment.failed") {
    // The link that is still open, or a new one.
    const reply = (text: string) => replies.send(to, text);
    return await offerCredits({ from: to, id: event_id }, news, { reply }, package_id);
  }
  // Even the newest event may be hours old, and the customer may have spent credits since.
  const balance = isNewest ? ` ${await balanceOf(to)}` : "";
  await replies.send(to, `${news}${balance}`);
}

/** Returns the news, unless the bot has said it already when it replied. */
function newsIn({ type, data }: Event): string | undefined {
  switch (type) {
    case "credits.granted":
      return `${data.source === "payment" ? "Thank you! " : ""}${
        counted(data.credits_added)
      } arrived.`;
    case "payment.failed":
      return "The payment failed. Would you like to try again?";
    case "credits.taken_back":
      return `${counted(data.credits_taken)} been taken back.`;
    case "credits.restored":
      return "Your credits are there again.";
    case "user.frozen":
      return ACCOUNT_FROZEN;
    case "user.unfrozen":
      return "Your account is open again.";
    default:
      return undefined;
  }
}

function counted(credits: number | undefined): string {
  return credits === 1 ? "1 credit has" : `${credits} credits have`;
}

/** Events arrive in any order. The news of an older one is still news; a balance would not be. */
function isNewestOf(
  { timestamp, data: { user_id, sequence_number } }: Event,
  inbox: Inbox,
): boolean {
  if (user_id === null || sequence_number === null) return false;
  return inbox.isNewest(user_id, sequence_number, timestamp);
}
