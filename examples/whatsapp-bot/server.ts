/**
 * The bot's two addresses, `/webhook` for WhatsApp and `/events` for the backend. Both only keep what has
 * arrived, and acknowledge it at once; the rest is done afterwards.
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { BackendError } from "../bot.ts";
import { answer } from "./decisions.ts";
import { tell, verifiedId } from "./events.ts";
import { GiveUp, Inbox, type Kind } from "./inbox.ts";
import { RefusedMessage, Replies } from "./replies.ts";
import type { Settings } from "./settings.ts";
import { challengeIn, isSigned, type Text, textsIn } from "./whatsapp.ts";

/** WhatsApp's requests are not larger. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** A running bot. */
export interface RunningBot {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the bot, which goes on with what it had not done when it was stopped. */
export async function startBot(settings: Settings): Promise<RunningBot> {
  const replies = new Replies(settings);
  const inbox: Inbox = new Inbox(settings.stateFile, act);

  async function act(kind: Kind, content: string): Promise<void> {
    try {
      if (kind === "event") return await tell(content, replies, inbox);
      await answer(JSON.parse(content), replies);
    } catch (error) {
      const isFinal = error instanceof BackendError || error instanceof RefusedMessage;
      if (!isFinal) throw error;
      if (kind === "message") await apologize(JSON.parse(content));
      throw new GiveUp(error.message);
    }
  }

  /** Fails if the customer cannot be written to, which is why nothing more is done about it. */
  async function apologize({ from, id }: Text): Promise<void> {
    await replies.send(from, "That did not work. Please try again later.", id).catch(() => {});
  }

  const server = createServer((request, response) => {
    respond(request, response).catch((error) => {
      console.error("A request failed:", error);
      response.writeHead(500).end();
    });
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://bot");
    const route = `${request.method} ${pathname}`;
    const end = (status: number, text = "") =>
      response.writeHead(status, { "content-type": "text/plain" }).end(text);

    if (route === "GET /webhook") {
      const challenge = challengeIn(searchParams, settings.verifyToken);
      return void (challenge === undefined ? end(403) : end(200, challenge));
    }
    if (route !== "POST /webhook" && route !== "POST /events") return void end(404);
    const body = await read(request);
    if (body === undefined) return void end(413);

    if (route === "POST /webhook") {
      const signature = String(request.headers["x-hub-signature-256"]);
      if (!isSigned(body, signature, settings.appSecret)) return void end(401);
      for (const text of textsIn(body.toString(), settings.phoneNumberId)) {
        inbox.add("message", text.id, JSON.stringify(text));
      }
      return void end(200);
    }
    const headers = request.headers as Record<string, string>;
    const id = verifiedId(body.toString(), headers, settings.eventsSecret);
    if (id === undefined) return void end(401);
    inbox.add("event", id, body.toString());
    end(204);
  }

  const port = await listen(server, settings.port);
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      await new Promise((resolve) => {
        server.close(resolve);
        // What is cut off has not been acknowledged, so it comes again.
        server.closeAllConnections();
      });
      await inbox.stop();
    },
  };
}

/** Returns the bytes of a request, which are signed as they are; undefined if there are too many. */
async function read(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
