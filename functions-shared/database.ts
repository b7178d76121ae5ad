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
  next_cursor: z.int().nullable(),
  transactions: z.array(transaction),
});

const placedOrder = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("package_not_found") }),
  z.object({
    outcome: z.enum(["placed", "reused"]),
    order_id: z.uuid(),
    razorpay_order_id: z.string().nullable(),
    package_name: z.string(),
    credits: z.int(),
    amount_paise: z.int(),
    currency: z.literal("INR"),
  }),
]);

const foundOrder = z.object({
  phone_number: z.string(),
  package_id: z.string(),
  key_mode: z.enum(["test", "live"]),
  credits: z.int(),
  razorpay_payment_id: z.string().nullable(),
  balance_after_payment: z.int().nullable(),
});

const settlement = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.enum(["settled", "replayed"]),
    credits_added: z.int(),
    remaining_credits: z.int(),
  }),
  z.object({
    outcome: z.enum([
      "order_not_found",
      "paid_by_another_payment",
      "amount_mismatch",
      "payment_refunded",
      "not_captured",
    ]),
  }),
]);

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
    { phoneNumber, packageId, keyMode }: {
      phoneNumber: string;
      packageId: string;
      keyMode: "test" | "live";
    },
  ): Promise<z.infer<typeof placedOrder>> {
    const args = { phone_number: phoneNumber, package_id: packageId, key_mode: keyMode };
    return one(placedOrder, await this.#call("place_order", args));
  }

  /** Stores the id that Razorpay gave to an order; answers the id that counts. */
  async openOrder(
    { orderId, razorpayOrderId }: { orderId: string; razorpayOrderId: string },
  ): Promise<string> {
    return await this.#call("open_order", {
      order_id: orderId,
      razorpay_order_id: razorpayOrderId,
    });
  }

  /** The order that Razorpay knows by this id, or `undefined`. */
  async findOrder(razorpayOrderId: string): Promise<z.infer<typeof foundOrder> | undefined> {
    const orders = await this.#call("find_order", { razorpay_order_id: razorpayOrderId });
    return orders.length === 0 ? undefined : one(foundOrder, orders);
  }

  /** Grants what the order promised, once, if Razorpay's word on the payment allows it. */
  async settlePayment(
    { razorpayOrderId, razorpayPaymentId, paymentStatus, amountPaise, currency }: {
      razorpayOrderId: string;
      razorpayPaymentId: string;
      paymentStatus: string;
      amountPaise: number;
      currency: string;
    },
  ): Promise<z.infer<typeof settlement>> {
    const args = {
      razorpay_order_id: razorpayOrderId,
      razorpay_payment_id: razorpayPaymentId,
      payment_status: paymentStatus,
      amount_paise: amountPaise,
      currency,
    };
    return one(settlement, await this.#call("settle_payment", args));
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
