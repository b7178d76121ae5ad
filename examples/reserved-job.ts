/**
 * What a WhatsApp bot does for a job that takes a while or costs it money: it reserves the credits, does
 * the job, and charges what was used. If the job fails, the credits return.
 *
 * Needs examples/bot.ts beside it.
 * @module
 */

import { ACCOUNT_FROZEN, callBackend, hasCode, type Message, offerCredits } from "./bot.ts";

/** A job, and what it costs. */
export interface Job {
  /** The id of an action in the price list. */
  readonly action: string;
  /** The most that it can use, in the unit of the action. */
  readonly quantity: number;
  /** Longer than it can take: until then, nothing else can spend its credits. */
  readonly expiresInSeconds: number;
  /** Makes it and sends it to the user. Returns how much it used, 0 or more. */
  run(): Promise<number>;
}

/** What became of a job that did not fail. */
export type Report =
  /**
   * Done and charged. `isLate`: after the reservation had expired, with credits that were still there.
   * `isLow`: the balance is running out.
   */
  | {
    readonly outcome: "charged";
    readonly message: string;
    readonly isLate: boolean;
    readonly isLow: boolean;
  }
  /**
   * Done, but after the reservation had expired, and the credits have been spent on something else, or the
   * account was frozen.
   */
  | { readonly outcome: "expired" }
  /** Not begun, because the user has too few credits: `message` says so. */
  | { readonly outcome: "insufficient_credits"; readonly message: string }
  /** Not begun, because too much is being made for the user already. */
  | { readonly outcome: "too_many_holds" }
  /** Not begun, because an operator has frozen the account. */
  | { readonly outcome: "account_frozen" }
  /**
   * Not begun, because an earlier delivery of the message began it. It is done if `state` is `captured`.
   * If not, and if the process has died that began it, the message can be tried again after `expiresAt`.
   */
  | {
    readonly outcome: "repeated";
    readonly state: "open" | "captured";
    readonly expiresAt: string;
  };

/**
 * Does a job with credits that are reserved for it, once for each message.
 *
 * @throws {Error} what the job throws, once its credits have returned. A job that does not return a
 * number of 0 or more has failed, too.
 * @throws {Error} when the capture cannot reach the backend: the job is done, so send the capture again.
 * @throws {BackendError} when the backend refuses what no user can change, such as an unknown action.
 */
export async function withReservedCredits(message: Message, job: Job): Promise<Report> {
  const { action, quantity, expiresInSeconds: expires_in_seconds } = job;
  const hold = { phone_number: message.from, reference_id: message.id };
  const reservation = { ...hold, action, quantity, expires_in_seconds };
  try {
    const reserved = await callBackend<Hold>("bot-reserve", reservation);
    if (reserved.status === "INSUFFICIENT_CREDITS") {
      return { outcome: "insufficient_credits", message: reserved.message };
    }
    const { state, expires_at: expiresAt } = reserved.data;
    if (reserved.isRepeat || state === "captured") return { outcome: "repeated", state, expiresAt };
  } catch (error) {
    if (hasCode(error, "TOO_MANY_HOLDS")) return { outcome: "too_many_holds" };
    if (hasCode(error, "ACCOUNT_FROZEN")) return { outcome: "account_frozen" };
    throw error;
  }

  let used: number | undefined;
  try {
    used = Math.min(wholeUnits(await job.run()), quantity);
  } finally {
    // If this fails too, the credits return when the reservation expires.
    if (used === undefined) await callBackend("bot-release", hold).catch(() => {});
  }

  // From here on, nothing is released: the user has the result.
  try {
    const captured = await callBackend<Capture>("bot-capture", { ...hold, quantity: used });
    const { late, low_balance } = captured.data;
    const isLate = late === true;
    return { outcome: "charged", message: captured.message, isLate, isLow: low_balance === true };
  } catch (error) {
    if (hasCode(error, "HOLD_EXPIRED") || hasCode(error, "ACCOUNT_FROZEN")) {
      return { outcome: "expired" };
    }
    throw error;
  }
}

/** Rounds up what a job used. What is no number would be sent as `null`, and capture everything. */
function wholeUnits(used: number): number {
  if (!Number.isFinite(used) || used < 0) throw new Error(`the job returned ${used}`);
  return Math.ceil(used);
}

/** What your bot provides for voice messages. */
export interface VoiceBot {
  /** Makes a voice message of at most so many seconds, sends it and returns its length. */
  sendVoice(maxSeconds: number): Promise<number>;
  reply(text: string): Promise<void>;
}

/** A user wants a voice message. */
export async function onVoiceRequest(message: Message, bot: VoiceBot): Promise<void> {
  const maxSeconds = 90;
  const report = await withReservedCredits(message, {
    action: "voice_message",
    quantity: maxSeconds,
    expiresInSeconds: 600,
    run: () => bot.sendVoice(maxSeconds),
  });
  switch (report.outcome) {
    case "charged":
      if (report.isLate) console.warn("A voice message took longer than its reservation.");
      return await bot.reply(report.message);
    case "expired":
      return console.warn("A voice message took so long that it could not be charged.");
    case "insufficient_credits":
      return await offerCredits(message, report.message, bot);
    case "too_many_holds":
      return await bot.reply("Please wait until what you have asked for is ready.");
    case "account_frozen":
      return await bot.reply(ACCOUNT_FROZEN);
    case "repeated":
      // The first delivery of the message replies.
  }
}

interface Hold {
  state: "open" | "captured";
  expires_at: string;
}

interface Capture {
  late?: true;
  low_balance?: true;
}
