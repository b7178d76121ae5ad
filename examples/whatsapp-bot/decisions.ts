/**
 * What the bot does with a customer's message.
 * @module
 */

import { ACCOUNT_FROZEN, callBackend, hasCode, offerCredits } from "../bot.ts";
import { withReservedCredits } from "../reserved-job.ts";
import { makeImage } from "./generator.ts";
import { TryLater } from "./inbox.ts";
import type { Replies } from "./replies.ts";
import type { Text } from "./whatsapp.ts";

const HELP = "Write what you want:\n" +
  "image, and what it should show\n" +
  "balance\n" +
  "account\n" +
  "buy";

/** Says something to the customer, in reply to the message. */
type Say = (text: string) => Promise<void>;

/** Does what a message asks for, and replies to it. */
export async function answer(message: Text, replies: Replies): Promise<void> {
  const say: Say = (text) => replies.send(message.from, text, message.id);
  const [, command = "", rest = ""] = /^\s*(\S*)\s*([\s\S]*?)\s*$/.exec(message.text) ?? [];
  switch (command.toLowerCase()) {
    case "image":
      return await sendImage(message, rest || "anything", say);
    case "balance":
      return await say(await balanceOf(message.from));
    case "account":
      return await say(await accountLink(message.from));
    case "buy":
      return await sellPackage(message, rest.toLowerCase() || "starter", say);
    default:
      return await say(HELP);
  }
}

/** The sentence that the backend has for a customer's balance. */
export async function balanceOf(phoneNumber: string): Promise<string> {
  const { message } = await callBackend(`bot-credits/${encodeURIComponent(phoneNumber)}`);
  return message;
}

/** A link to the customer's page. It proves the number, so it goes to that number and nowhere else. */
async function accountLink(phoneNumber: string): Promise<string> {
  const { data } = await callBackend<{ url: string }>("bot-link", { phone_number: phoneNumber });
  return `Your account, for half an hour:\n${data.url}`;
}

/** The image is paid once it has been sent, and its credit is reserved before it is made. */
async function sendImage(message: Text, prompt: string, say: Say): Promise<void> {
  const report = await withReservedCredits(message, {
    action: "image_generation",
    quantity: 1,
    expiresInSeconds: 120,
    async run() {
      await say(await makeImage(prompt));
      return 1;
    },
  });
  switch (report.outcome) {
    case "charged":
      return await say(report.isLow ? `${report.message} Write "buy" for more.` : report.message);
    case "insufficient_credits":
      return await offerCredits(message, report.message, { reply: say });
    case "too_many_holds":
      return await say("Please wait until what you have asked for is ready.");
    case "account_frozen":
      return await say(ACCOUNT_FROZEN);
    case "expired":
      return console.warn("An image took so long that it could not be charged.");
    case "repeated":
      // The bot had died before it sent the image, or after it had charged for it.
      if (report.state === "open") throw new TryLater(new Date(report.expiresAt));
  }
}

async function sellPackage(message: Text, packageId: string, say: Say): Promise<void> {
  try {
    await offerCredits(message, "You can pay here:", { reply: say }, packageId);
  } catch (error) {
    if (!hasCode(error, "PACKAGE_NOT_FOUND")) throw error;
    const { data } = await callBackend<{ packages: Package[] }>("bot-prices");
    const lines = data.packages.map(({ id, credits, price }) =>
      `buy ${id}: ${credits} credits for ${price} rupees`
    );
    await say(`There is no such package. Write one of these:\n${lines.join("\n")}`);
  }
}

interface Package {
  readonly id: string;
  readonly credits: number;
  readonly price: number;
}
