/**
 * A chat in the terminal: reads a customer's lines, and prints what the bot says.
 * @module
 */

import { createInterface } from "node:readline";
import process from "node:process";
import type { Sent, WhatsAppStandIn } from "./server.ts";

const INTRODUCTION = `
This plays WhatsApp. You are the customer: write to the bot, for example

  balance
  image a cat on a roof
  account
  buy

Both links open in a browser: that of the account page, on which you can buy too, and the payment link.
No payment is real. Without a browser, /pay and /fail press the buttons of the payment link's page.
Ctrl-D ends the chat.
`;

/** How long the bot may take to say something. */
const PATIENCE_MS = 60_000;
/** A payment link. That of the account page carries its token behind a "#". */
const PAYMENT_LINK = /\bhttps?:\/\/[^\s#]+(?!\S)/;

/** What a customer and the bot have said. */
export class Transcript {
  readonly customer: string;
  /** The newest payment link that the bot has sent. */
  link: string | undefined;
  readonly #isTerminal = Deno.stdin.isTerminal();
  readonly #waiting = new Set<(message: Sent) => void>();

  constructor(customer: string) {
    this.customer = customer;
    console.log(INTRODUCTION);
  }

  /** Prints what the bot has sent to this customer; it may be told of others too. */
  botSays(message: Sent): void {
    if (message.to !== this.customer) return;
    this.link = PAYMENT_LINK.exec(message.text)?.[0] ?? this.link;
    this.#print("bot", message.text);
    for (const hear of this.#waiting) hear(message);
  }

  /** Resolves when the bot says something that `matches`, or has said nothing of the kind for long. */
  async hear(matches: (message: Sent) => boolean): Promise<void> {
    const heard = Promise.withResolvers<void>();
    const hear = (message: Sent) => matches(message) && heard.resolve();
    this.#waiting.add(hear);
    const timer = setTimeout(() => {
      this.#print("", "(no answer)");
      heard.resolve();
    }, PATIENCE_MS);
    await heard.promise;
    clearTimeout(timer);
    this.#waiting.delete(hear);
  }

  /** Shows that the customer may write. */
  prompt(): void {
    if (this.#isTerminal) Deno.stdout.writeSync(new TextEncoder().encode("you  "));
  }

  /** Shows what the customer has written, where no terminal has done so. */
  customerSays(text: string): void {
    if (!this.#isTerminal) this.#print("you", text);
  }

  /** Leaves the line of the prompt. */
  end(): void {
    if (this.#isTerminal) console.log();
  }

  /** Prints a line that nobody has said. */
  note(text: string): void {
    this.#print("", text);
  }

  #print(who: string, text: string): void {
    // Over the prompt, which is shown again below.
    const start = this.#isTerminal ? "\r\x1b[K" : "";
    console.log(start + who.padEnd(5) + text.replaceAll("\n", `\n${" ".repeat(5)}`));
    if (this.#isTerminal && this.#waiting.size === 0) this.prompt();
  }
}

/** Sends line after line to the bot, each when the one before has been answered. */
export async function converse(whatsapp: WhatsAppStandIn, transcript: Transcript): Promise<void> {
  transcript.prompt();
  for await (const line of createInterface({ input: process.stdin, terminal: false })) {
    const text = line.trim();
    if (text !== "") {
      transcript.customerSays(text);
      await act(text, whatsapp, transcript);
    }
    transcript.prompt();
  }
}

async function act(
  text: string,
  whatsapp: WhatsAppStandIn,
  transcript: Transcript,
): Promise<void> {
  const outcome = { "/pay": "captured", "/fail": "failed" }[text];
  if (outcome === undefined) {
    const message = whatsapp.write(transcript.customer, text);
    const answered = transcript.hear(({ inReplyTo }) => inReplyTo === message.id);
    await whatsapp.deliver(message);
    await answered;
  } else if (transcript.link === undefined) {
    transcript.note('(There is no link yet: write "buy".)');
  } else {
    // What the bot says about it, it says by itself.
    const told = transcript.hear(({ inReplyTo }) => inReplyTo === undefined);
    const response = await fetch(transcript.link, {
      method: "POST",
      body: new URLSearchParams({ outcome }),
    });
    transcript.note(statusIn(await response.text()));
    await told;
  }
}

/** What the page of the link says. */
function statusIn(page: string): string {
  return `(${/<p role="\w+">([^<]*)</.exec(page)?.[1] ?? "The page says nothing."})`;
}
