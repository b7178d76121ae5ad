/**
 * A stand-in for WhatsApp's Cloud API, for `deno task chat` and tests: it takes the messages that a bot
 * sends through the Graph API, and delivers what a customer types to the bot's webhook, signed.
 *
 * Only what a bot of text messages needs: https://developers.facebook.com/docs/whatsapp/cloud-api
 * @module
 */

import { z } from "zod";
import { isLoopbackHost } from "../system/loopback.ts";
import { newMessageId } from "./message-id.ts";
import { deliver, type Incoming, subscribe } from "./webhook.ts";

/** How to start the stand-in. */
export interface WhatsAppOptions {
  readonly accessToken: string;
  readonly appSecret: string;
  readonly verifyToken: string;
  readonly phoneNumberId: string;
  /** Called for each message that the bot has sent. */
  readonly onSent?: (message: Sent) => void;
}

/** A message that the bot has sent. */
export interface Sent {
  /** The customer's number, without a plus. */
  readonly to: string;
  readonly text: string;
  /** The message that it replies to, if it quotes one. */
  readonly inReplyTo: string | undefined;
}

/** A running stand-in. */
export interface WhatsAppStandIn {
  /** The address of the Graph API, with its version. */
  readonly graphUrl: string;
  /** Everything that the bot has sent, oldest first. */
  readonly sent: readonly Sent[];
  /** Makes the bot's webhook that of the app, which it has to agree to, as in the dashboard. */
  subscribe(webhookUrl: string): Promise<void>;
  /** A new message of a customer, which {@linkcode deliver} brings to the bot. */
  write(from: string, text: string): Incoming;
  /** Delivers messages in one request, any number of times, and returns the bot's HTTP status. */
  deliver(...messages: readonly Incoming[]): Promise<number>;
  stop(): Promise<void>;
}

const VERSION = "v23.0";
const MAX_TEXT_LENGTH = 4_096;

const outgoing = z.object({
  messaging_product: z.literal("whatsapp"),
  recipient_type: z.literal("individual").optional(),
  to: z.string().regex(/^\+?[1-9][0-9]{6,14}$/),
  type: z.literal("text"),
  text: z.object({
    body: z.string().min(1).max(MAX_TEXT_LENGTH),
    preview_url: z.boolean().optional(),
  }),
  context: z.object({ message_id: z.string() }).optional(),
});

/** Starts the stand-in on a free port of 127.0.0.1. */
export function startWhatsApp(options: WhatsAppOptions): WhatsAppStandIn {
  const sent: Sent[] = [];
  /** Who has written to the bot. It may not write first. */
  const customers = new Set<string>();
  let webhookUrl: string | undefined;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => respond(request),
  );

  async function respond(request: Request): Promise<Response> {
    if (!isLoopbackHost(request.headers.get("host"))) return new Response(null, { status: 421 });
    if (request.headers.get("authorization") !== `Bearer ${options.accessToken}`) {
      return refusal(401, 190, "Invalid OAuth access token.");
    }
    const { pathname } = new URL(request.url);
    if (request.method !== "POST" || pathname !== `/${VERSION}/${options.phoneNumberId}/messages`) {
      return refusal(400, 100, "Unsupported request.");
    }
    const message = outgoing.safeParse(await request.json().catch(() => undefined));
    if (!message.success) return refusal(400, 100, z.prettifyError(message.error));
    const to = message.data.to.replace("+", "");
    if (!customers.has(to)) return refusal(400, 131047, "Re-engagement message");

    const accepted = {
      to,
      text: message.data.text.body,
      inReplyTo: message.data.context?.message_id,
    };
    sent.push(accepted);
    options.onSent?.(accepted);
    return Response.json({
      messaging_product: "whatsapp",
      contacts: [{ input: message.data.to, wa_id: to }],
      messages: [{ id: newMessageId(to) }],
    });
  }

  return {
    graphUrl: `http://127.0.0.1:${server.addr.port}/${VERSION}`,
    sent,
    async subscribe(url) {
      await subscribe(url, options.verifyToken);
      webhookUrl = url;
    },
    write(from, text) {
      customers.add(from);
      return { id: newMessageId(from), from, text, timestamp: Math.floor(Date.now() / 1000) };
    },
    async deliver(...messages) {
      if (webhookUrl === undefined) throw new Error("No webhook is subscribed.");
      return await deliver(webhookUrl, messages, options);
    },
    stop: () => server.shutdown(),
  };
}

/** An error as the Graph API words it. */
function refusal(status: number, code: number, message: string): Response {
  const error = { message, type: "OAuthException", code, fbtrace_id: crypto.randomUUID() };
  return Response.json({ error }, { status });
}
