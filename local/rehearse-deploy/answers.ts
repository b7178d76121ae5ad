/**
 * What each deployed function must return. In the order of the table, this is the story of one
 * customer.
 * @module
 */

import { z } from "zod";
import type { CheckoutSuccess } from "../razorpay/control-client.ts";

/** A request to a function, and what it must return. */
export interface Exchange {
  readonly method: string;
  /** What follows the function's name in the URL. */
  readonly path?: string;
  readonly headers?: Record<string, string>;
  /** Sent as JSON. */
  readonly body?: Record<string, unknown>;
  /** Sent as a form. */
  readonly form?: Record<string, string>;
  /** The expected response. `body` and `headers` may leave out what is not checked. */
  readonly answer: {
    readonly status: number;
    readonly headers?: Record<string, string>;
    readonly body?: Envelope;
  };
  /** Receives the response's `data`, to keep what later exchanges need. */
  readonly keep?: (data: Record<string, unknown>) => void;
}

/** The envelope of every response. As an expectation, `data` may leave out what does not matter. */
export const envelope = z.object({
  status: z.string(),
  message: z.string(),
  code: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
});
/** A response's body, or what is expected of one. */
export type Envelope = z.infer<typeof envelope>;

/** The customer, and what the functions have returned so far. */
export interface Story {
  readonly botSecret: string;
  /** The project's secret key. */
  readonly secretKey: string;
  /** The page that customers are sent to. */
  readonly page: string;
  /** Returns Razorpay's signature of a webhook body. */
  sign(body: string): Promise<string>;
  /** Pays an order and returns when the payment is captured. */
  pay(orderId: string): Promise<CheckoutSuccess>;
  userId?: unknown;
  orderId?: unknown;
  paymentId?: unknown;
  /** What Checkout has returned. */
  checkout?: CheckoutSuccess;
}

/** The rehearsal of one function. */
export interface Rehearsal {
  readonly slug: string;
  readonly method: "GET" | "POST";
  /** Whether pages call the function, so that it has to send CORS headers. */
  readonly forPages?: boolean;
  /** Packages that the function must not load, because they would slow down its start. */
  readonly withoutPackages?: readonly string[];
  readonly exchanges: (story: Story) => Exchange[] | Promise<Exchange[]>;
}

/** The customer's phone number, as the functions store it. */
const PHONE_NUMBER = "+919876543210";

const failure = (message: string, code: string): Envelope => ({ status: "ERROR", message, code });

const success = (message: string, data: Record<string, unknown>): Envelope => ({
  status: "SUCCESS",
  message,
  data,
});

const missingSecret = (method: string): Exchange => ({
  method,
  answer: { status: 401, body: failure("Missing x-bot-secret header", "MISSING_BOT_SECRET") },
});

const missingKey = (method: string, body?: Record<string, unknown>): Exchange => ({
  method,
  ...(method === "POST" && { body: body ?? {} }),
  answer: {
    status: 401,
    body: failure(
      "This function needs the project's secret key in the apikey header",
      "INVALID_SECRET_KEY",
    ),
  },
});

/** Who acts as an operator, and why. */
const action = (slug: string) => ({
  operator: "Rehearsal",
  reason: "To see that it works",
  reference_id: `rehearsal ${slug}`,
});

/** One rehearsal for every function of `supabase/functions`. */
export const REHEARSALS: readonly Rehearsal[] = [
  {
    slug: "bot-credits",
    method: "GET",
    withoutPackages: ["razorpay"],
    exchanges: ({ botSecret }) => [
      missingSecret("GET"),
      {
        method: "GET",
        path: `/${PHONE_NUMBER}`,
        headers: { "x-bot-secret": botSecret },
        answer: {
          status: 200,
          body: success("You have 3 credits remaining.", {
            remaining_credits: 3,
            reserved_credits: 0,
            user_exists: true,
          }),
        },
      },
    ],
  },
  {
    slug: "bot-deduct",
    method: "POST",
    withoutPackages: ["razorpay"],
    exchanges: ({ botSecret }) => [
      missingSecret("POST"),
      {
        method: "POST",
        headers: { "x-bot-secret": botSecret },
        body: { phone_number: PHONE_NUMBER, reference_id: "rehearsal-1" },
        answer: {
          status: 200,
          body: success("Image generated successfully. You have 2 credits remaining.", {
            remaining_credits: 2,
          }),
        },
      },
    ],
  },
  {
    slug: "bot-reserve",
    method: "POST",
    withoutPackages: ["razorpay"],
    exchanges: ({ botSecret }) => [
      missingSecret("POST"),
      {
        method: "POST",
        headers: { "x-bot-secret": botSecret },
        body: { phone_number: PHONE_NUMBER, reference_id: "rehearsal-2", credits: 2 },
        answer: {
          status: 200,
          body: success("2 credits reserved. You have no credits remaining.", {
            remaining_credits: 0,
            reserved_credits: 2,
            state: "open",
          }),
        },
      },
    ],
  },
  {
    slug: "bot-capture",
    method: "POST",
    withoutPackages: ["razorpay"],
    exchanges: ({ botSecret }) => [
      missingSecret("POST"),
      {
        method: "POST",
        headers: { "x-bot-secret": botSecret },
        body: { phone_number: PHONE_NUMBER, reference_id: "rehearsal-2", credits: 3 },
        answer: {
          status: 409,
          body: failure(
            "This is more than was reserved; nothing was charged",
            "CAPTURE_EXCEEDS_HOLD",
          ),
        },
      },
    ],
  },
  {
    slug: "bot-release",
    method: "POST",
    withoutPackages: ["razorpay"],
    exchanges: ({ botSecret }) => [
      missingSecret("POST"),
      {
        method: "POST",
        headers: { "x-bot-secret": botSecret },
        body: { phone_number: PHONE_NUMBER, reference_id: "rehearsal-2" },
        answer: {
          status: 200,
          body: success("2 credits returned. You have 2 credits remaining.", {
            remaining_credits: 2,
            released_credits: 2,
          }),
        },
      },
    ],
  },
  {
    slug: "bot-prices",
    method: "GET",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ botSecret }) => [
      missingSecret("GET"),
      {
        method: "GET",
        headers: { "x-bot-secret": botSecret },
        answer: {
          status: 200,
          body: success("Prices retrieved successfully", {
            packages: [
              { id: "starter", name: "Starter", price: 99, credits: 20 },
              { id: "popular", name: "Popular", price: 299, credits: 75 },
              { id: "pro", name: "Pro", price: 799, credits: 250 },
            ],
          }),
        },
      },
    ],
  },
  {
    slug: "users",
    method: "GET",
    forPages: true,
    withoutPackages: ["razorpay"],
    exchanges: (story) => [
      {
        method: "GET",
        answer: { status: 400, body: failure("Phone number is required", "MISSING_FIELD") },
      },
      {
        method: "GET",
        path: `/${PHONE_NUMBER}`,
        answer: {
          status: 200,
          body: success("User profile retrieved successfully", {
            phone_number: PHONE_NUMBER,
            credits: 2,
            remaining_credits: 2,
            reserved_credits: 0,
          }),
        },
        keep: ({ id }) => story.userId = id,
      },
    ],
  },
  {
    slug: "credit-history",
    method: "GET",
    forPages: true,
    withoutPackages: ["razorpay"],
    exchanges: ({ userId }) => [
      {
        method: "GET",
        path: `/${crypto.randomUUID()}`,
        answer: { status: 404, body: failure("User not found", "USER_NOT_FOUND") },
      },
      {
        method: "GET",
        path: `/${userId}?limit=1`,
        answer: {
          status: 200,
          body: success("Credit history retrieved successfully", {
            user_id: userId,
            total: 2,
            transactions: [{ action: "debit", credits: 1, balance_after: 2 }],
          }),
        },
      },
    ],
  },
  {
    slug: "create-order",
    method: "POST",
    forPages: true,
    exchanges: (story) => [
      {
        method: "POST",
        body: {},
        answer: {
          status: 400,
          body: failure("Package ID and phone number are required", "MISSING_FIELD"),
        },
      },
      {
        method: "POST",
        body: { package_id: "starter", phone_number: PHONE_NUMBER },
        answer: {
          status: 200,
          body: success("Order created successfully", {
            amount: 9900,
            currency: "INR",
            package: { id: "starter", name: "Starter", credits: 20, price: 99 },
          }),
        },
        keep: ({ order_id }) => story.orderId = order_id,
      },
    ],
  },
  {
    slug: "verify-payment",
    method: "POST",
    forPages: true,
    exchanges: async (story) => {
      const paid = await story.pay(String(story.orderId));
      story.paymentId = paid.razorpay_payment_id;
      story.checkout = paid;
      return [
        {
          method: "POST",
          body: {},
          answer: {
            status: 400,
            body: failure("All payment verification fields are required", "MISSING_FIELD"),
          },
        },
        {
          method: "POST",
          body: { ...paid, phone_number: PHONE_NUMBER, package_id: "starter" },
          answer: {
            status: 200,
            body: success("Payment verified and credits added successfully", {
              payment_id: paid.razorpay_payment_id,
              order_id: story.orderId,
              credits_added: 20,
              remaining_credits: 22,
            }),
          },
        },
      ];
    },
  },
  {
    slug: "payment-return",
    method: "POST",
    withoutPackages: ["libphonenumber-js"],
    exchanges: ({ page, orderId, checkout }) => [
      { method: "GET", answer: { status: 303, headers: { location: `${page}#` } } },
      {
        method: "POST",
        form: { ...checkout },
        answer: {
          status: 303,
          headers: { location: `${page}#payment=paid&order=${orderId}` },
        },
      },
    ],
  },
  {
    slug: "bot-payment-link",
    method: "POST",
    exchanges: ({ botSecret }) => [
      missingSecret("POST"),
      {
        method: "POST",
        headers: { "x-bot-secret": botSecret },
        body: { package_id: "starter", phone_number: PHONE_NUMBER },
        answer: {
          status: 200,
          body: success("Payment link created successfully", {
            amount: 9900,
            currency: "INR",
            package: { id: "starter", name: "Starter", credits: 20, price: 99 },
          }),
        },
      },
    ],
  },
  {
    slug: "bot-link",
    method: "POST",
    withoutPackages: ["razorpay"],
    exchanges: ({ botSecret }) => [
      missingSecret("POST"),
      {
        method: "POST",
        headers: { "x-bot-secret": botSecret },
        body: { phone_number: PHONE_NUMBER },
        answer: { status: 200, body: success("Link created successfully", {}) },
      },
    ],
  },
  {
    slug: "razorpay-webhook",
    method: "POST",
    exchanges: async ({ sign }) => {
      const body = { entity: "event", event: "payment.downtime.started", payload: {} };
      return [
        {
          method: "POST",
          body,
          answer: {
            status: 401,
            body: failure("Invalid webhook signature", "INVALID_WEBHOOK_SIGNATURE"),
          },
        },
        {
          method: "POST",
          headers: { "x-razorpay-signature": await sign(JSON.stringify(body)) },
          body,
          answer: { status: 200, body: success("Event received", { outcome: "ignored" }) },
        },
      ];
    },
  },
  {
    slug: "reconcile-payments",
    method: "POST",
    exchanges: ({ secretKey }) => [
      missingKey("POST"),
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: {},
        answer: { status: 200, body: success("Payments reconciled", { failed: 0 }) },
      },
    ],
  },
  {
    slug: "deliver-events",
    method: "POST",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ secretKey }) => [
      missingKey("POST"),
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: {},
        answer: { status: 200, body: success("Events delivered", { failed: 0 }) },
      },
    ],
  },
  {
    slug: "settle-order",
    method: "POST",
    exchanges: ({ secretKey, orderId }) => [
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: { order: String(orderId), operator: "Rehearsal", reason: "To see that it works" },
        answer: { status: 200, body: success("Razorpay was asked", { outcomes: ["replayed"] }) },
      },
    ],
  },
  {
    slug: "find-customer",
    method: "POST",
    withoutPackages: ["razorpay"],
    exchanges: ({ secretKey, userId }) => [
      missingKey("POST", { query: PHONE_NUMBER }),
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: { query: PHONE_NUMBER },
        answer: {
          status: 200,
          body: success("Search finished", { customers: [{ user_id: userId, debt_credits: 0 }] }),
        },
      },
    ],
  },
  ...([
    ["freeze-user", {}, "Account frozen", { frozen: true }],
    ["unfreeze-user", {}, "Account unfrozen", { frozen: false }],
    ["adjust-credits", { credits: 5 }, "Credits adjusted", { debt_credits: 0 }],
    ["forgive-debt", {}, "There was no debt to forgive", { debt_credits: 0 }],
  ] as const).map(([slug, fields, message, data]): Rehearsal => ({
    slug,
    method: "POST",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ secretKey, userId }) => [
      missingKey("POST"),
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: { user_id: userId, ...fields, ...action(slug) },
        answer: { status: 200, body: success(message, { user_id: userId, ...data }) },
      },
    ],
  })),
  {
    slug: "refund-payment",
    method: "POST",
    exchanges: ({ secretKey, paymentId }) => [
      missingKey("POST"),
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: { payment_id: paymentId, amount_paise: 9_900, ...action("refund-payment") },
        answer: {
          status: 200,
          body: success("Razorpay made the refund", { status: "processed", amount_paise: 9_900 }),
        },
      },
    ],
  },
  {
    slug: "merge-users",
    method: "POST",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ secretKey, userId }) => [
      missingKey("POST"),
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: { from_user_id: userId, into_user_id: crypto.randomUUID(), ...action("merge-users") },
        answer: { status: 404, body: failure("User not found", "USER_NOT_FOUND") },
      },
    ],
  },
  {
    slug: "end-hold",
    method: "POST",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ secretKey, userId }) => [
      missingKey("POST"),
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: { user_id: userId, hold_reference_id: "none", ...action("end-hold") },
        answer: {
          status: 404,
          body: failure("Nothing is reserved under this hold_reference_id", "HOLD_NOT_FOUND"),
        },
      },
    ],
  },
  {
    slug: "resend-events",
    method: "POST",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ secretKey }) => [
      missingKey("POST"),
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: { from: "2026-01-01", to: "2026-01-02", ...action("resend-events") },
        answer: { status: 200, body: success("No event is sent again", { resent: 0 }) },
      },
    ],
  },
  {
    slug: "export-statement",
    method: "GET",
    withoutPackages: ["razorpay"],
    exchanges: ({ secretKey, userId }) => [
      missingKey("GET"),
      {
        method: "GET",
        path: `?user_id=${userId}`,
        headers: { apikey: secretKey },
        answer: { status: 200, body: success("Statement exported", { opening_balance: 0 }) },
      },
    ],
  },
  {
    slug: "get-operator",
    method: "GET",
    withoutPackages: ["razorpay"],
    exchanges: ({ secretKey }) => [
      missingKey("GET"),
      {
        method: "GET",
        headers: { apikey: secretKey },
        answer: {
          status: 401,
          body: failure("The session is not valid any more; sign in again", "INVALID_SESSION"),
        },
      },
    ],
  },
  {
    slug: "get-customer",
    method: "GET",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ secretKey, userId }) => [
      missingKey("GET"),
      {
        method: "GET",
        path: `?user_id=${userId}`,
        headers: { apikey: secretKey },
        answer: {
          status: 200,
          body: success("Customer retrieved successfully", {
            user_id: userId,
            phone_number: PHONE_NUMBER,
          }),
        },
      },
    ],
  },
  {
    slug: "list-entries",
    method: "GET",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ secretKey, userId }) => [
      missingKey("GET"),
      {
        method: "GET",
        path: `?user_id=${userId}&limit=1`,
        headers: { apikey: secretKey },
        answer: {
          status: 200,
          body: success("Entries retrieved successfully", { entries: [{ source: "refund" }] }),
        },
      },
    ],
  },
  {
    slug: "list-actions-taken",
    method: "GET",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ secretKey, userId }) => [
      missingKey("GET"),
      {
        method: "GET",
        path: `?user_id=${userId}&limit=1`,
        headers: { apikey: secretKey },
        answer: {
          status: 200,
          body: success("Actions retrieved successfully", {
            actions: [{ operator: "Rehearsal", action: "refund-payment", outcome: "refunded" }],
          }),
        },
      },
    ],
  },
  {
    slug: "sales-report",
    method: "GET",
    withoutPackages: ["razorpay", "libphonenumber-js"],
    exchanges: ({ secretKey }) => [
      missingKey("GET"),
      {
        method: "GET",
        path: "?from=2026-01-01&to=2026-01-02",
        headers: { apikey: secretKey },
        answer: {
          status: 200,
          body: success("Report made", { days: [{ date: "2026-01-01", charges: 0 }] }),
        },
      },
    ],
  },
  {
    slug: "list-attention",
    method: "GET",
    withoutPackages: ["razorpay"],
    exchanges: ({ secretKey }) => [
      missingKey("GET"),
      {
        method: "GET",
        headers: { apikey: secretKey },
        answer: { status: 200, body: success("List retrieved successfully", { items: [] }) },
      },
    ],
  },
  {
    slug: "check-books",
    method: "GET",
    withoutPackages: ["razorpay"],
    exchanges: ({ secretKey }) => [
      missingKey("GET"),
      {
        method: "GET",
        headers: { apikey: secretKey },
        answer: { status: 200, body: success("Books retrieved successfully", { violations: [] }) },
      },
    ],
  },
  {
    slug: "erase-user",
    method: "POST",
    withoutPackages: ["razorpay"],
    exchanges: ({ secretKey, userId }) => [
      {
        method: "POST",
        headers: { apikey: secretKey },
        body: {
          user_id: String(userId),
          ...action("erase-user"),
        },
        answer: { status: 200, body: success("User erased", { user_id: userId, auth: "none" }) },
      },
    ],
  },
];

/** Returns the exchanges that every function is put through. */
export function commonExchanges({ method, forPages }: Rehearsal): Exchange[] {
  const allow = `${method}, OPTIONS`;
  const origin: Record<string, string> = forPages ? { "access-control-allow-origin": "*" } : {};
  return [
    {
      method: "OPTIONS",
      answer: {
        status: 204,
        headers: { ...origin, "access-control-allow-methods": allow },
      },
    },
    {
      method: "PUT",
      answer: {
        status: 405,
        headers: { allow, ...origin },
        body: failure("This method is not allowed here", "METHOD_NOT_ALLOWED"),
      },
    },
  ];
}
