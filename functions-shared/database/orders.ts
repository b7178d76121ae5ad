/**
 * Orders and their payments. Each function here is the SQL function of the same name, whose comment
 * explains the outcomes.
 * @module
 */

import { z } from "zod";
import { type Identity, identityArgs } from "shared/database/credits.ts";
import { one, rpc } from "shared/database/rpc.ts";
import { rateLimited, RequestError } from "shared/errors.ts";

const placedOrder = z.object({
  outcome: z.enum(["placed", "reused", "replayed", "reference_reused"]),
  user_id: z.uuid(),
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
  z.object({ outcome: z.literal("limited"), retry_after_seconds: z.int() }),
  placedOrder,
]);

const storedLink = z.object({ stored_short_url: z.string(), stored_expires_at: z.string() });

const foundOrder = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("found"),
    user_id: z.uuid(),
    is_users_phone: z.boolean(),
    package_id: z.string(),
    key_mode: z.enum(["test", "live"]),
    credits: z.int(),
    razorpay_payment_id: z.string().nullable(),
    balance_after_payment: z.int().nullable(),
  }),
  z.object({ outcome: z.literal("order_not_found") }),
  z.object({ outcome: z.literal("limited"), retry_after_seconds: z.int() }),
]);

const settlement = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.enum(["settled", "replayed"]),
    credits_added: z.int(),
    remaining_credits: z.int(),
  }),
  z.object({
    outcome: z.enum([
      "order_not_found",
      "payment_refunded",
      "paid_by_another_payment",
      "amount_mismatch",
      "not_captured",
    ]),
  }),
]);

/** What a payment led to. */
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
 * Fixes what a purchase costs and grants, or finds the same purchase still unpaid.
 *
 * @throws {RequestError} `PACKAGE_NOT_FOUND`, `REFERENCE_REUSED`, or `RATE_LIMITED` when
 * `limitedAddress` or the number places too many.
 */
export async function placeOrder(
  { identity, packageId, keyMode, channel, referenceId, limitedAddress }: {
    identity: Identity;
    packageId: string;
    keyMode: "test" | "live";
    channel: "checkout" | "link";
    referenceId?: string;
    limitedAddress?: string;
  },
): Promise<PlacedOrder> {
  const placement = one(
    orderPlacement,
    await rpc("place_order", {
      ...identityArgs(identity),
      package_id: packageId,
      key_mode: keyMode,
      channel,
      reference_id: referenceId,
      limited_address: limitedAddress,
    }),
  );
  switch (placement.outcome) {
    case "package_not_found":
      throw new RequestError("PACKAGE_NOT_FOUND");
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
    case "limited":
      throw rateLimited(placement.retry_after_seconds);
    default:
      return placement;
  }
}

/**
 * Stores the id that Razorpay gave to an order; answers the id that counts, `null` where there is
 * no such order.
 */
export async function openOrder(
  { orderId, razorpayOrderId }: { orderId: string; razorpayOrderId: string },
): Promise<string | null> {
  return await rpc("open_order", {
    order_id: orderId,
    razorpay_order_id: razorpayOrderId,
  });
}

/** Stores the payment link that Razorpay made for an order; answers the link that counts. */
export async function openLink(
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
  return one(storedLink, await rpc("open_link", args));
}

/**
 * The order that Razorpay knows by this id, or `undefined`. `phoneNumber` is compared with its
 * user's.
 *
 * @throws {RequestError} `RATE_LIMITED` when `limitedAddress` asks too often.
 */
export async function findOrder(
  { razorpayOrderId, phoneNumber, limitedAddress }: {
    razorpayOrderId: string;
    phoneNumber: string;
    limitedAddress: string;
  },
) {
  const args = {
    razorpay_order_id: razorpayOrderId,
    phone_number: phoneNumber,
    limited_address: limitedAddress,
  };
  const found = one(foundOrder, await rpc("find_order", args));
  if (found.outcome === "limited") throw rateLimited(found.retry_after_seconds);
  return found.outcome === "order_not_found" ? undefined : found;
}

/** Books what Razorpay says of a payment: grants what its order promised, once, and takes back. */
export async function settlePayment(
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
  return one(settlement, await rpc("settle_payment", args));
}
