/**
 * The HTTP contract: what each function takes, what it answers, and in which words.
 *
 * The functions parse with these schemas and `openapi.json` is generated from them, so the document
 * cannot promise what the code does not do.
 * @module
 */

import { z } from "zod";
import type { ErrorCode } from "shared/errors.ts";
import { type PhoneNumberSource, toE164 } from "shared/phone-number.ts";

/** One function of the API. */
export interface Operation<
  Input extends z.ZodObject = z.ZodObject,
  Data extends z.ZodObject = z.ZodObject,
> {
  /** Name of the Edge Function, and first segment of its path. */
  readonly name: string;
  readonly method: "GET" | "POST";
  /** Who may call it; `functions-shared/caller.ts` tells how each proves itself. */
  readonly caller: "bot" | "frontend" | "operator" | "razorpay";
  readonly summary: string;
  readonly description: string;
  /** Which field of `input` may come as the path segment after the name. */
  readonly pathField?: string;
  /** The path field, the query and the body, as one object. */
  readonly input: Input;
  /** The sentence for a request that lacks a required field. */
  readonly missing: string;
  /** What `data` holds in the answer with status `SUCCESS`. */
  readonly data: Data;
  /** The message of a successful answer, as an example. */
  readonly message: string;
  /** Answers that are neither a success nor an error. */
  readonly otherAnswers?: readonly OtherAnswer[];
  /** The errors of this function beyond those that every function can answer. */
  readonly errors: readonly ErrorCode[];
}

/** An answer with a status word of its own. */
export interface OtherAnswer {
  readonly httpStatus: 200 | 202;
  readonly status: "INSUFFICIENT_CREDITS" | "PENDING";
  readonly message: string;
  readonly data?: z.ZodObject;
}

/** Errors that any function can answer. */
export const COMMON_ERRORS = [
  "INVALID_REQUEST",
  "MISSING_FIELD",
  "NOT_FOUND",
  "METHOD_NOT_ALLOWED",
  "INTERNAL",
  "UNAVAILABLE",
] as const satisfies readonly ErrorCode[];

/** Errors of a caller that does not prove itself. */
export const CALLER_ERRORS = {
  bot: ["MISSING_BOT_SECRET", "INVALID_BOT_SECRET"],
  frontend: [],
  operator: ["INVALID_SECRET_KEY"],
  razorpay: ["INVALID_WEBHOOK_SIGNATURE"],
} as const satisfies Record<Operation["caller"], readonly ErrorCode[]>;

/** Errors of the functions that read a body. */
export const BODY_ERRORS = [
  "INVALID_JSON",
  "BODY_TOO_LARGE",
] as const satisfies readonly ErrorCode[];

/** The largest number of credits that one call may spend. */
const MAX_CREDITS_PER_CALL = 1000;

const phoneNumber = (source: PhoneNumberSource) =>
  z.string("must be a string").transform((text, context) => {
    const number = toE164(text, source);
    if (number === undefined) {
      context.addIssue({
        code: "custom",
        message: "must be a valid phone number, such as +919876543210",
      });
      return z.NEVER;
    }
    return number;
  }).meta({
    description: source === "whatsapp"
      ? "A phone number or WhatsApp id; bare digits are read as country code and number first."
      : "A phone number; bare digits are read as a national number first.",
    examples: ["+919876543210"],
  });

const referenceId = z.string("must be a string")
  .min(1, "must not be empty")
  .max(255, "must be at most 255 characters long")
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "must not contain control characters")
  .meta({
    description: "Makes the call safe to retry: the WhatsApp message id or job id it is made for.",
    examples: ["wamid.HBgMOTE5ODc2NTQzMjEw"],
  });

const packageId = z.string("must be a string")
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, "must be the id of a package, such as starter")
  .meta({ examples: ["starter"] });

const razorpayId = (prefix: "order" | "pay") =>
  z.string("must be a string")
    .regex(
      new RegExp(`^${prefix}_[A-Za-z0-9]{14}$`),
      `must be a Razorpay id that starts with ${prefix}_`,
    )
    .meta({ examples: [`${prefix}_RB58MiP5SPFYyM`] });

const wholeNumber = (least: number, most: number) =>
  z.int(`must be a whole number from ${least} to ${most}`)
    .min(least, `must be a whole number from ${least} to ${most}`)
    .max(most, `must be a whole number from ${least} to ${most}`);

/** A whole number that arrives as text, in a query string. */
const wholeNumberText = (least: number, most: number) =>
  z.string()
    .regex(/^[0-9]{1,10}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .pipe(wholeNumber(least, most))
    .meta({ type: "integer", pattern: undefined, minimum: least, maximum: most });

const balance = z.int().min(0).describe("Credits that are left.");
const timestamp = z.iso.datetime({ offset: true });

/** `GET bot-credits/:phone_number` */
export const botCredits = {
  name: "bot-credits",
  method: "GET",
  caller: "bot",
  summary: "Tell a user's balance",
  description: "An unknown phone number becomes a user with 3 free credits.",
  pathField: "phone_number",
  input: z.object({ phone_number: phoneNumber("whatsapp") }),
  missing: "Phone number is required",
  data: z.object({ remaining_credits: balance, user_exists: z.literal(true) }),
  message: "You have 2 credits remaining.",
  errors: [],
} as const satisfies Operation;

/** `POST bot-deduct` */
export const botDeduct = {
  name: "bot-deduct",
  method: "POST",
  caller: "bot",
  summary: "Spend credits for an image",
  description:
    "A repeated `reference_id` (or `Idempotency-Key` header, where the body has none) is answered " +
    "as the first call was, charges nothing and carries `idempotent-replayed: true`. A refused " +
    "call leaves nothing behind, so its reference may succeed later.",
  input: z.object({
    phone_number: phoneNumber("whatsapp"),
    reference_id: referenceId.nullish(),
    credits: wholeNumber(1, MAX_CREDITS_PER_CALL).nullish()
      .describe("How many credits the image costs; 1 when it is left out."),
  }),
  missing: "Phone number is required",
  data: z.object({ remaining_credits: balance }),
  message: "Image generated successfully. You have 1 credit remaining.",
  otherAnswers: [{
    httpStatus: 200,
    status: "INSUFFICIENT_CREDITS",
    message: "You have no credits left. Please purchase a plan to continue.",
    data: z.object({ remaining_credits: balance }),
  }],
  errors: ["REFERENCE_REUSED"],
} as const satisfies Operation;

/** `GET users/:phone_number` */
export const users = {
  name: "users",
  method: "GET",
  caller: "frontend",
  summary: "Read a user's profile",
  description: "An unknown phone number becomes a user with 3 free credits.",
  pathField: "phone_number",
  input: z.object({ phone_number: phoneNumber("page") }),
  missing: "Phone number is required",
  data: z.object({
    id: z.uuid(),
    phone_number: z.string().describe("E.164"),
    credits: balance,
    created_at: timestamp,
  }),
  message: "User profile retrieved successfully",
  errors: [],
} as const satisfies Operation;

/** One entry of a user's history. */
export const transaction = z.object({
  id: z.uuid(),
  user_id: z.uuid(),
  action: z.enum(["credit", "debit"]),
  credits: z.int().min(1),
  source: z.enum(["system", "payment", "image_generation", "refund", "dispute"]),
  reference_id: z.string().nullable(),
  created_at: timestamp,
  balance_after: z.int().min(0),
});

/** `GET credit-history/:user_id` */
export const creditHistory = {
  name: "credit-history",
  method: "GET",
  caller: "frontend",
  summary: "List a user's movements of credits, newest first",
  description:
    "`total` counts all of them. Pass `next_cursor` as `cursor` for the page after this.",
  pathField: "user_id",
  input: z.object({
    user_id: z.uuid("must be a UUID"),
    limit: wholeNumberText(1, 100).optional().describe("Entries per page; 50 when left out."),
    cursor: wholeNumberText(1, 2_147_483_647).optional().describe("The next_cursor of a page."),
  }),
  missing: "User ID is required",
  data: z.object({
    user_id: z.uuid(),
    transactions: z.array(transaction),
    total: z.int().min(0),
    debt_credits: z.int().min(0)
      .describe("Credits that were spent before their money went back; the next credits pay them."),
    next_cursor: z.string().nullable().describe("null on the last page"),
  }),
  message: "Credit history retrieved successfully",
  errors: ["USER_NOT_FOUND"],
} as const satisfies Operation;

const packageSummary = z.object({
  id: z.string(),
  name: z.string(),
  credits: z.int().min(1),
  price: z.number().min(1).describe("In rupees."),
});

/** `POST create-order` */
export const createOrder = {
  name: "create-order",
  method: "POST",
  caller: "frontend",
  summary: "Order a package of credits",
  description:
    "Answers what Razorpay Checkout needs. Amount and credits are fixed here. The same purchase " +
    "that still waits for its payment is answered with the same order.",
  input: z.object({ package_id: packageId, phone_number: phoneNumber("page") }),
  missing: "Package ID and phone number are required",
  data: z.object({
    order_id: z.string(),
    amount: z.int().min(100).describe("In paise."),
    currency: z.literal("INR"),
    key_id: z.string(),
    package: packageSummary,
  }),
  message: "Order created successfully",
  errors: ["PACKAGE_NOT_FOUND", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;

/** `POST verify-payment` */
export const verifyPayment = {
  name: "verify-payment",
  method: "POST",
  caller: "frontend",
  summary: "Turn a payment into credits",
  description:
    "Takes what Razorpay Checkout hands to the page. Safe to call any number of times: the credits " +
    "are added once, and every call gets the same answer.",
  input: z.object({
    razorpay_order_id: razorpayId("order"),
    razorpay_payment_id: razorpayId("pay"),
    razorpay_signature: z.string("must be a string"),
    phone_number: phoneNumber("page"),
    package_id: packageId,
  }),
  missing: "All payment verification fields are required",
  data: z.object({
    payment_id: z.string(),
    order_id: z.string(),
    credits_added: z.int().min(1),
    remaining_credits: balance,
  }),
  message: "Payment verified and credits added successfully",
  otherAnswers: [{
    httpStatus: 202,
    status: "PENDING",
    message: "The payment is not confirmed yet. Please ask again in a moment.",
  }],
  errors: ["INVALID_SIGNATURE", "ORDER_NOT_FOUND", "ORDER_MISMATCH"],
} as const satisfies Operation;

/** `POST bot-payment-link` */
export const botPaymentLink = {
  name: "bot-payment-link",
  method: "POST",
  caller: "bot",
  summary: "Make a payment link for the chat",
  description:
    "A link that is still open for the same user and package is answered again, and so is the link " +
    "of a repeated `reference_id`. The credits arrive when the link is paid, without another call.",
  input: z.object({
    phone_number: phoneNumber("whatsapp"),
    package_id: packageId,
    reference_id: referenceId.nullish(),
  }),
  missing: "Package ID and phone number are required",
  data: z.object({
    short_url: z.url(),
    amount: z.int().min(100).describe("In paise."),
    currency: z.literal("INR"),
    package: packageSummary,
    expires_at: timestamp,
  }),
  message: "Payment link created successfully",
  errors: ["PACKAGE_NOT_FOUND", "REFERENCE_REUSED", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;

/** `POST razorpay-webhook` */
export const razorpayWebhook = {
  name: "razorpay-webhook",
  method: "POST",
  caller: "razorpay",
  summary: "Take an event of Razorpay",
  description:
    "Signed by Razorpay in `x-razorpay-signature`. 200 means that the event is handled or none of " +
    "our business; anything else makes Razorpay send it again.",
  input: z.looseObject({
    event: z.string("must be a string").min(1).max(100),
    created_at: z.int().nullish(),
    payload: z.looseObject({}).nullish(),
  }),
  missing: "event is required",
  data: z.object({ outcome: z.string() }),
  message: "Event received",
  errors: ["GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;

/** `POST reconcile-payments` */
export const reconcilePayments = {
  name: "reconcile-payments",
  method: "POST",
  caller: "operator",
  summary: "Ask Razorpay about the orders that are due",
  description:
    "For a scheduler, every few minutes. Works in batches until nothing is due or its time is up; " +
    "it can be cut off and run again, and two at once do no harm.",
  input: z.object({}),
  missing: "",
  data: z.object({
    checked: z.int().min(0).describe("Orders that Razorpay was asked about."),
    settled: z.int().min(0).describe("Orders whose credits were granted by this run."),
    flagged: z.int().min(0).describe("Payments that bought nothing and need an operator."),
    failed: z.int().min(0).describe(
      "Orders that could not be asked about; their turn comes again.",
    ),
  }),
  message: "Payments reconciled",
  errors: [],
} as const satisfies Operation;

/** `POST settle-order` */
export const settleOrder = {
  name: "settle-order",
  method: "POST",
  caller: "operator",
  summary: "Settle one order by hand",
  description:
    "Asks Razorpay about one order and books what it says. Who asked, and why, is kept for good.",
  input: z.object({
    order: z.string("must be a string").min(1).max(100)
      .describe("Any id of the order: Razorpay's, ours, its receipt, or one of its payments."),
    operator: z.string("must be a string").regex(/\S/, "must be a name").max(200),
    reason: z.string("must be a string").regex(/\S/, "must say why").max(2000),
  }),
  missing: "order, operator and reason are required",
  data: z.object({ order_id: z.uuid(), outcomes: z.array(z.string()) }),
  message: "Razorpay was asked",
  errors: ["ORDER_NOT_FOUND", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;

/** Every function of the API. */
export const OPERATIONS: readonly Operation[] = [
  botCredits,
  botDeduct,
  users,
  creditHistory,
  createOrder,
  verifyPayment,
  botPaymentLink,
  razorpayWebhook,
  reconcilePayments,
  settleOrder,
];
