/**
 * POST /bot-payment-link: the bot offers a payment link in the chat.
 *
 * The link is paid on Razorpay's own page, so no page of ours reports the payment: the webhook does,
 * or the reconciler.
 * @module
 */

import { botPaymentLink } from "shared/contract/bot-payment-link.ts";
import { attachPaymentLink, type PlacedOrder, placeOrder } from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";
import { summarizePackage } from "shared/payments/package-summary.ts";
import { toReceipt } from "shared/payments/settlement.ts";
import { createGateway, type PaymentGateway } from "shared/razorpay/gateway.ts";

/** Razorpay requires at least 15 minutes; an hour suits a chat. */
const LINK_LIFE_MS = 60 * 60 * 1000;

export default endpoint(botPaymentLink, async (input) => {
  const { phone_number, whatsapp_user_id, package_id, reference_id } = input;
  const gateway = createGateway();
  const order = await placeOrder({
    phone_number,
    whatsapp_user_id,
    package_id,
    reference_id,
    key_mode: gateway.mode,
    channel: "link",
  });
  if (order.outcome === "package_not_found") throw new RequestError("PACKAGE_NOT_FOUND");
  if (order.outcome === "reference_reused") throw new RequestError("REFERENCE_REUSED");
  if (order.outcome === "proof_required") throw new Error("The bot is not limited");

  const link = storedLink(order) ?? await createLink(order, { gateway, phone_number });
  return success(botPaymentLink.successMessage, {
    short_url: link.stored_short_url,
    amount: order.amount_paise,
    currency: order.currency,
    package: summarizePackage(package_id, order),
    expires_at: link.stored_expires_at,
  }, { replayed: order.outcome === "replayed", userId: order.user_id ?? undefined });
});

function storedLink({ short_url, expires_at }: PlacedOrder) {
  if (short_url === null || expires_at === null) return undefined;
  return { stored_short_url: short_url, stored_expires_at: expires_at };
}

async function createLink(
  order: PlacedOrder,
  { gateway, phone_number }: {
    gateway: PaymentGateway;
    phone_number: string | null | undefined;
  },
) {
  const expiresAt = new Date(Date.now() + LINK_LIFE_MS);
  const link = await gateway.createPaymentLink({
    amountPaise: order.amount_paise,
    currency: order.currency,
    phoneNumber: phone_number ?? undefined,
    description: `${order.package_name}: ${order.credits} credits`,
    reference: toReceipt(order.order_id),
    expiresAt,
  });
  // If an earlier attempt created the link, it has the expiry of that attempt.
  const linkExpiresAt = link.expire_by ? new Date(link.expire_by * 1000) : expiresAt;
  return await attachPaymentLink({
    order_id: order.order_id,
    razorpay_payment_link_id: link.id,
    short_url: link.short_url,
    expires_at: linkExpiresAt.toISOString(),
  });
}
