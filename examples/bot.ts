/**
 * What a WhatsApp bot does with this backend: it spends a credit for each image, and offers a package
 * where none is left.
 *
 * Needs nothing but `fetch`, on Node.js or Deno, and the variables SUPABASE_URL and BOT_SECRET. With the
 * stack on this machine: `node --env-file=.local/stack.env your-bot.ts`.
 * @module
 */

import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";

const API = new URL("/functions/v1/", variable("SUPABASE_URL", /^https?:\/\//));
const HEADERS = {
  "x-bot-secret": variable("BOT_SECRET", /^[\x21-\x7e]{32,}$/),
  "content-type": "application/json",
};
/** 503 comes from this backend, the other two from Supabase's platform. */
const OUTAGE = [503, 504, 546];
const ATTEMPTS = 5;
const TIMEOUT_MS = 30_000;

/** What a user is told whose account an operator has frozen. */
export const ACCOUNT_FROZEN = "Your account is paused. Please write to our support.";

/** A WhatsApp message: the sender's number and the message's id. */
export interface Message {
  readonly from: string;
  readonly id: string;
}

/** What your bot provides. */
export interface Bot<Image> {
  makeImage(): Promise<Image>;
  reply(text: string, image?: Image): Promise<void>;
}

/** What the backend answers, where that is no error. */
export interface Answer<Data> {
  readonly status: "SUCCESS" | "INSUFFICIENT_CREDITS";
  readonly message: string;
  readonly data: Data;
  /** Whether an earlier call, and not this one, has done what was asked for. */
  readonly isRepeat: boolean;
}

/** The backend has refused a call. `code` says why, unless Supabase's platform refused it. */
export class BackendError extends Error {
  readonly code: string | undefined;

  constructor(path: string, status: number, text: string) {
    super(`${path}: ${status} ${text}`);
    this.code = codeIn(text);
  }
}

/** Whether the backend has refused a call with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof BackendError && error.code === code;
}

/** A user wants an image. */
export async function onImageRequest<Image>(message: Message, bot: Bot<Image>): Promise<void> {
  const path = `bot-credits/${encodeURIComponent(message.from)}`;
  const { data } = await callBackend<{ remaining_credits: number; frozen?: true }>(path);
  const maySpend = data.frozen !== true && data.remaining_credits > 0;
  // The image is made before it is charged, so that one that fails costs nothing.
  let image = maySpend ? await bot.makeImage() : undefined;

  // The message's id is the reference, so a retry or a second delivery is not charged again.
  const deduction = { phone_number: message.from, reference_id: message.id };
  let charged: Answer<unknown>;
  try {
    charged = await callBackend("bot-deduct", deduction);
  } catch (error) {
    if (!hasCode(error, "ACCOUNT_FROZEN")) throw error;
    return await bot.reply(ACCOUNT_FROZEN);
  }
  if (charged.status === "INSUFFICIENT_CREDITS") {
    return await offerCredits(message, charged.message, bot);
  }

  // Charged although nothing could be spent: an earlier delivery of this message was charged.
  image ??= await bot.makeImage();
  await bot.reply(charged.message, image);
}

/** Tells the user why nothing is made, and how to buy more. */
export async function offerCredits(
  { from, id }: Message,
  reason: string,
  bot: Pick<Bot<never>, "reply">,
  packageId = "starter",
): Promise<void> {
  const purchase = { phone_number: from, package_id: packageId, reference_id: id };
  const { data } = await callBackend<PaymentLink>("bot-payment-link", purchase);
  const { credits, price } = data.package;
  await bot.reply(`${reason}\n${credits} credits for ${price} rupees: ${data.short_url}`);
}

interface PaymentLink {
  short_url: string;
  package: { credits: number; price: number };
}

/** A misconfigured bot must not start: it would take every failed call for an outage. */
function variable(name: string, form: RegExp): string {
  const value = process.env[name] ?? "";
  if (!form.test(value)) throw new Error(`${name} is ${value ? "not valid" : "not set"}`);
  return value;
}

/**
 * Sends a request, and sends it again while the backend is out of reach.
 *
 * @throws {BackendError} when the backend refuses it.
 */
export async function callBackend<Data>(path: string, body?: object): Promise<Answer<Data>> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const response = await send(path, body).catch(() => undefined);
    if (response?.ok) {
      // What a second attempt repeats is the first one, whose answer was lost.
      const isRepeat = response.isReplayed && attempt === 1;
      return { ...JSON.parse(response.text), isRepeat };
    }
    if (response && !OUTAGE.includes(response.status)) {
      throw new BackendError(path, response.status, response.text);
    }
    const seconds = response?.retryAfter || 2 ** attempt;
    if (attempt < ATTEMPTS) await delay(seconds * 1000);
  }
  throw new Error(`${path}: the backend cannot be reached`);
}

/** Rejects if the connection breaks; the request may have been carried out anyway. */
async function send(path: string, body?: object) {
  const response = await fetch(new URL(path, API), {
    method: body ? "POST" : "GET",
    headers: HEADERS,
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const { ok, status, headers } = response;
  return {
    ok,
    status,
    retryAfter: Number(headers.get("retry-after")),
    isReplayed: headers.get("idempotent-replayed") === "true",
    text: await response.text(),
  };
}

function codeIn(text: string): string | undefined {
  try {
    return JSON.parse(text).code;
  } catch {
    return undefined;
  }
}
