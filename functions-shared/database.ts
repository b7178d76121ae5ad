/**
 * The database as the functions see it: one method for each SQL function, one round trip for each
 * method. What may move credits is decided in `supabase/migrations/`, never here.
 * @module
 */

import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import { transaction } from "shared/contract.ts";
import type { Database as Schema } from "shared/database.types.ts";
import { supabaseCredentials } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";

/** Longer than any lock wait of ours, shorter than a bot's patience. */
const TIMEOUT_MS = 5_000;

type Functions = Schema["public"]["Functions"];

const user = z.object({ user_id: z.uuid(), credits: z.int(), created_at: z.string() });

const deduction = z.object({
  outcome: z.enum(["deducted", "replayed", "insufficient_credits", "reference_reused"]),
  user_id: z.uuid(),
  remaining_credits: z.int(),
});

const historyPage = z.object({
  outcome: z.enum(["listed", "user_not_found"]),
  total: z.int(),
  debt_credits: z.int(),
  next_cursor: z.int().nullable(),
  transactions: z.array(transaction),
});

const placedOrder = z.object({
  outcome: z.enum(["placed", "reused", "replayed", "reference_reused"]),
  order_id: z.uuid(),
  razorpay_order_id: z.string().nullable(),
  package_name: z.string(),
  credits: z.int(),
  amount_paise: z.int(),
  currency: z.literal("INR"),
  short_url: z.string().nullable(),
  expires_at: z.string().nullable(),
});

/** An order with what was fixed when it was placed. */
export type PlacedOrder = z.infer<typeof placedOrder>;

const orderPlacement = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("package_not_found") }),
  placedOrder,
]);

const foundOrder = z.object({
  phone_number: z.string(),
  package_id: z.string(),
  key_mode: z.enum(["test", "live"]),
  credits: z.int(),
  razorpay_payment_id: z.string().nullable(),
  balance_after_payment: z.int().nullable(),
});

const storedLink = z.object({ stored_short_url: z.string(), stored_expires_at: z.string() });

const claimedOrder = z.object({
  order_id: z.uuid(),
  razorpay_order_id: z.string().nullable(),
  razorpay_payment_link_id: z.string().nullable(),
});

/** An order that the reconciler has to ask about. */
export type ClaimedOrder = z.infer<typeof claimedOrder>;

const orderLife = z.object({
  order_id: z.uuid(),
  life: z.object({
    order: z.object({
      razorpay_order_id: z.string().nullable(),
      razorpay_payment_link_id: z.string().nullable(),
    }),
  }),
});

const settlement = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.enum(["settled", "replayed", "payment_refunded"]),
    credits_added: z.int(),
    remaining_credits: z.int(),
  }),
  z.object({
    outcome: z.enum([
      "order_not_found",
      "paid_by_another_payment",
      "amount_mismatch",
      "not_captured",
    ]),
  }),
]);

/** What a payment led to; `settle_payment` explains the outcomes. */
export type Settlement = z.infer<typeof settlement>;

/** Money that went back, as `private.record_reversal` takes it. */
export interface Reversal {
  readonly id: string;
  readonly kind: "refund" | "dispute";
  readonly status: string;
  readonly amount_paise: number;
  readonly is_money_gone: boolean;
  /** ISO 8601. */
  readonly reported_at: string;
}

/**
 * The project's database. Every method throws {@linkcode RequestError} `UNAVAILABLE` when the
 * database cannot answer now, and `INTERNAL` when it refuses what we asked. Each answer is the row
 * of the SQL function of the same name, whose comment explains the outcomes.
 */
export class Database {
  readonly #client: SupabaseClient<Schema>;

  constructor(client: SupabaseClient<Schema>) {
    this.#client = client;
  }

  /** The user of a phone number (E.164), created on first contact. */
  async getUser(phoneNumber: string): Promise<z.infer<typeof user>> {
    return one(user, await this.#call("get_user", { phone_number: phoneNumber }));
  }

  /** Spends `credits`, once for each `referenceId`. */
  async deductCredits(
    { phoneNumber, credits, referenceId }: {
      phoneNumber: string;
      credits: number;
      referenceId: string | undefined;
    },
  ): Promise<z.infer<typeof deduction>> {
    const args = { phone_number: phoneNumber, credits, reference_id: referenceId };
    return one(deduction, await this.#call("deduct_credits", args));
  }

  /** One page of a user's history, newest first; `before` is the cursor of the page before it. */
  async listCreditTransactions(
    { userId, pageSize, before }: { userId: string; pageSize: number; before: number | undefined },
  ): Promise<z.infer<typeof historyPage>> {
    const args = { user_id: userId, page_size: pageSize, before_sequence_number: before };
    return one(historyPage, await this.#call("list_credit_transactions", args));
  }

  /** Fixes what a purchase costs and grants, or finds the same purchase still unpaid. */
  async placeOrder(
    { phoneNumber, packageId, keyMode, channel, referenceId }: {
      phoneNumber: string;
      packageId: string;
      keyMode: "test" | "live";
      channel: "checkout" | "link";
      referenceId?: string;
    },
  ): Promise<z.infer<typeof orderPlacement>> {
    const args = {
      phone_number: phoneNumber,
      package_id: packageId,
      key_mode: keyMode,
      channel,
      reference_id: referenceId,
    };
    return one(orderPlacement, await this.#call("place_order", args));
  }

  /**
   * Stores the id that Razorpay gave to an order; answers the id that counts, `null` where there is
   * no such order.
   */
  async openOrder(
    { orderId, razorpayOrderId }: { orderId: string; razorpayOrderId: string },
  ): Promise<string | null> {
    return await this.#call("open_order", {
      order_id: orderId,
      razorpay_order_id: razorpayOrderId,
    });
  }

  /** Stores the payment link that Razorpay made for an order; answers the link that counts. */
  async openLink(
    { orderId, paymentLinkId, shortUrl, expiresAt }: {
      orderId: string;
      paymentLinkId: string;
      shortUrl: string;
      expiresAt: string;
    },
  ): Promise<z.infer<typeof storedLink>> {
    const args = {
      order_id: orderId,
      razorpay_payment_link_id: paymentLinkId,
      short_url: shortUrl,
      expires_at: expiresAt,
    };
    return one(storedLink, await this.#call("open_link", args));
  }

  /** The order that Razorpay knows by this id, or `undefined`. */
  async findOrder(razorpayOrderId: string): Promise<z.infer<typeof foundOrder> | undefined> {
    const orders = await this.#call("find_order", { razorpay_order_id: razorpayOrderId });
    return orders.length === 0 ? undefined : one(foundOrder, orders);
  }

  /** Books what Razorpay says of a payment: grants what its order promised, once, and takes back. */
  async settlePayment(
    { razorpayOrderId, razorpayPaymentId, paymentStatus, amountPaise, currency, reversals }: {
      razorpayOrderId: string;
      razorpayPaymentId: string;
      paymentStatus: string;
      amountPaise: number;
      currency: string;
      reversals: Reversal[];
    },
  ): Promise<Settlement> {
    const args = {
      razorpay_order_id: razorpayOrderId,
      razorpay_payment_id: razorpayPaymentId,
      payment_status: paymentStatus,
      amount_paise: amountPaise,
      currency,
      reversals: reversals.map((reversal) => ({ ...reversal })),
    };
    return one(settlement, await this.#call("settle_payment", args));
  }

  /** Keeps a delivery of Razorpay, before it is handled; answers its number. */
  async receiveWebhook(
    { eventId, event, payload, razorpayOrderId, razorpayPaymentId }: {
      eventId: string | undefined;
      event: string;
      payload: string;
      razorpayOrderId: string | undefined;
      razorpayPaymentId: string | undefined;
    },
  ): Promise<number> {
    return await this.#call("receive_webhook", {
      event_id: eventId ?? "",
      event,
      payload,
      razorpay_order_id: razorpayOrderId,
      razorpay_payment_id: razorpayPaymentId,
    });
  }

  /** Stores what became of a delivery. */
  async finishWebhook(deliveryId: number, outcome: string): Promise<void> {
    await this.#call("finish_webhook", { delivery_id: deliveryId, outcome });
  }

  /** Hands out orders that Razorpay should be asked about now. */
  async claimOrdersToCheck(
    { batchSize, keyMode }: { batchSize: number; keyMode: "test" | "live" },
  ): Promise<ClaimedOrder[]> {
    const args = { batch_size: batchSize, key_mode: keyMode };
    return z.array(claimedOrder).parse(await this.#call("claim_orders_to_check", args));
  }

  /** Ends a claim, and plans when to ask again. */
  async finishOrderCheck(orderId: string): Promise<void> {
    await this.#call("finish_order_check", { order_id: orderId });
  }

  /** The orders that an operator's word names: an id of Razorpay's or ours, or a phone number. */
  async findPayments(search: string): Promise<z.infer<typeof orderLife>[]> {
    return z.array(orderLife).parse(await this.#call("find_payments", { search }));
  }

  /** Records that an operator had an order settled by hand. */
  async recordOperatorAction(
    { orderId, operator, reason, outcome }: {
      orderId: string;
      operator: string;
      reason: string;
      outcome: string;
    },
  ): Promise<void> {
    await this.#call("record_operator_action", { order_id: orderId, operator, reason, outcome });
  }

  async #call<Name extends keyof Functions & string>(
    name: Name,
    args: Functions[Name]["Args"],
  ): Promise<Functions[Name]["Returns"]> {
    const { data, error, status } = await this.#client
      .rpc(name, args)
      .abortSignal(AbortSignal.timeout(TIMEOUT_MS));
    if (error === null) return data;
    throw new RequestError(isOutage(error.code, status) ? "UNAVAILABLE" : "INTERNAL", {
      cause: `${name}: ${error.code} ${error.message}`,
    });
  }
}

let connection: { url: string; secretKey: string; database: Database } | undefined;

/** The project's {@linkcode Database}; one client serves all requests of a worker. */
export function openDatabase(): Database {
  const { url, secretKey } = supabaseCredentials();
  if (connection?.url !== url || connection.secretKey !== secretKey) {
    const client = createClient<Schema>(url, secretKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    });
    connection = { url, secretKey, database: new Database(client) };
  }
  return connection.database;
}

/**
 * Tells an outage from a refusal, by SQLSTATE class or PostgREST code; the HTTP status alone does
 * not (PostgREST answers 500 for lock and statement timeouts). Classes: 08 connection, 25006
 * read-only, 40 rollback, 53 resources, 55 locks, 57 intervention, 58 system. PGRST000 to PGRST003:
 * no connection. A status without a code comes from something in front of PostgREST.
 *
 * Sources: PostgreSQL, appendix A; PostgREST, "Errors".
 */
function isOutage(code: string | undefined, status: number): boolean {
  if (code && /^(08|25006|40|53|55|57|58|PGRST00)/.test(code)) return true;
  return status === 0 || (status >= 502 && status <= 504) || !code;
}

/** The only row, in the shape that the code relies on: generated types know no nulls and no words. */
function one<Row>(schema: z.ZodType<Row>, rows: unknown[]): Row {
  return schema.parse(rows[0]);
}
