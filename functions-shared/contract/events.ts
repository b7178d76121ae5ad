/**
 * What the bot is told without asking: one contract for each type of event. `openapi.json` lists them
 * as webhooks.
 * @module
 */

import { z } from "zod";
import { razorpayId, remainingCredits, timestamp, whatsappUserId } from "shared/contract/fields.ts";
import { packageId } from "shared/contract/package.ts";

/** One type of event. */
export interface EventType {
  readonly type: string;
  readonly summary: string;
  readonly description: string;
  /** The whole body of the request to the bot. */
  readonly body: z.ZodObject;
  /** The `data` of an example, besides the fields that every event has. */
  readonly example: Readonly<Record<string, unknown>>;
}

const credits = z.int().min(1);

const phoneNumber = z.string().regex(/^\+[1-9][0-9]{6,14}$/)
  .describe("E.164. Left out if it is not known.");

const debtCredits = z.int().min(0).describe(
  "What the user owes now: credits that were spent before their money went back.",
);

/** Who an event is about, as of the moment when it is sent. */
const person = {
  event_id: z.uuid().describe("The same as the header `webhook-id`, at every attempt."),
  phone_number: phoneNumber.optional(),
  whatsapp_user_id: whatsappUserId.optional(),
};

/** The account, as of the moment that the event tells of. */
const account = {
  user_id: z.uuid(),
  credits: z.int().min(0).describe("The balance."),
  remaining_credits: remainingCredits,
  sequence_number: z.int().min(1).describe(
    "The number of the user's newest entry in the history. Of two events about one user, the one with " +
      "the lower number has the older balance.",
  ),
};

/** The order that a payment was for. */
const order = {
  order_id: z.uuid(),
  package_id: packageId,
  payment_id: razorpayId("pay"),
  reference_id: z.string().optional()
    .describe("The bot's own reference of the payment link, if there was one."),
};

const ORDER_EXAMPLE = {
  order_id: "0d5e4a51-2f39-4e8c-9d56-5c1b7a8f6f10",
  package_id: "starter",
  payment_id: "pay_mglRcPJRkZ0oOG",
};

const optional = <Shape extends z.ZodRawShape>(shape: Shape) => z.object(shape).partial().shape;

function body(type: string, data: z.ZodRawShape, about: z.ZodRawShape = account): z.ZodObject {
  return z.object({
    type: z.literal(type),
    timestamp: timestamp.describe("When it happened."),
    data: z.object({ ...person, ...about, ...data }),
  });
}

/** In the order in which a reader meets them. */
export const EVENTS: readonly EventType[] = [
  {
    type: "credits.granted",
    summary: "A user got credits",
    description: "A payment arrived, or an operator added credits. The bot may thank the user.",
    body: body("credits.granted", {
      source: z.enum(["payment", "adjustment"]),
      credits_added: credits,
      ...optional(order),
    }),
    example: {
      source: "payment",
      credits_added: 20,
      ...ORDER_EXAMPLE,
      reference_id: "wamid.HBgMOTE5ODc2NTQzMjEw",
    },
  },
  {
    type: "payment.failed",
    summary: "A payment failed",
    description:
      "Once for each payment, unless its order is paid by then. The bot may offer another " +
      "try: the same link can still be paid, and the payment itself may still succeed. Whoever tried " +
      "to pay may be no user yet; the fields of the account are then null.",
    body: body(
      "payment.failed",
      order,
      Object.fromEntries(Object.entries(account).map(([name, field]) => [name, field.nullable()])),
    ),
    example: { ...ORDER_EXAMPLE, reference_id: "wamid.HBgMOTE5ODc2NTQzMjEw" },
  },
  {
    type: "credits.low",
    summary: "A balance is running out",
    description:
      "The balance has fallen to the threshold, or below. Not told again before it was " +
      "above the threshold, and not told of a balance that fell to 0, which is `credits.exhausted`.",
    body: body("credits.low", { threshold_credits: z.int().min(1) }),
    example: { threshold_credits: 1 },
  },
  {
    type: "credits.exhausted",
    summary: "A balance is used up",
    description: "The balance has fallen to 0.",
    body: body("credits.exhausted", {}),
    example: {},
  },
  {
    type: "credits.taken_back",
    summary: "Credits were taken back",
    description: "Money went back by a refund or a lost dispute, or an operator took credits.",
    body: body("credits.taken_back", {
      source: z.enum(["refund", "dispute", "adjustment"]),
      credits_taken: credits.describe("All that was taken, also what became a debt."),
      debt_credits: debtCredits,
      reversal_id: z.string().optional().describe("Razorpay's refund or dispute id."),
      ...optional(order),
    }),
    example: {
      source: "refund",
      credits_taken: 20,
      debt_credits: 0,
      reversal_id: "rfnd_FP8QHiV938haTz",
      ...ORDER_EXAMPLE,
    },
  },
  {
    type: "credits.restored",
    summary: "Credits were restored",
    description: "A refund failed, or a dispute was won: what had been taken back is there again.",
    body: body("credits.restored", {
      source: z.enum(["refund", "dispute"]),
      credits_restored: credits.describe("All that was restored, also what canceled a debt."),
      debt_credits: debtCredits,
      reversal_id: z.string().describe("Razorpay's refund or dispute id."),
      ...order,
    }),
    example: {
      source: "dispute",
      credits_restored: 20,
      debt_credits: 0,
      reversal_id: "disp_FP8QHiV938haTz",
      ...ORDER_EXAMPLE,
    },
  },
  {
    type: "hold.expired",
    summary: "A reservation expired",
    description:
      "It was neither captured nor released in time, so its credits returned to the user. " +
      "A late capture may still charge them.",
    body: body("hold.expired", {
      reference_id: z.string().describe("The bot's own reference of the reservation."),
      released_credits: credits,
    }),
    example: { reference_id: "wamid.HBgMOTE5ODc2NTQzMjEz", released_credits: 5 },
  },
  {
    type: "user.frozen",
    summary: "An account was frozen",
    description: "An operator has stopped deductions and reservations.",
    body: body("user.frozen", {}),
    example: {},
  },
  {
    type: "user.unfrozen",
    summary: "An account was unfrozen",
    description: "Deductions and reservations are possible again.",
    body: body("user.unfrozen", {}),
    example: {},
  },
];

/** Returns the whole body of the example of an event. */
export function exampleOf({ type, example }: EventType): Record<string, unknown> {
  return {
    type,
    timestamp: "2026-11-26T09:30:00.000Z",
    data: {
      event_id: "5a6b2d8e-1f0c-4c0e-8a53-0c9a4f1e7b21",
      user_id: "ce966eac-3f68-47a9-af05-f70448bdf4ff",
      phone_number: "+919876543210",
      credits: 21,
      remaining_credits: 21,
      sequence_number: 4,
      ...example,
    },
  };
}
