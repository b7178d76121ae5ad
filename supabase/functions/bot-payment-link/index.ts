/**
 * POST /bot-payment-link: the bot puts a way to pay into the chat.
 *
 * The link is paid on Razorpay's own page, so no page of ours reports the payment: the webhook does,
 * or the reconciler.
 * @module
 */

import { botPaymentLink } from "shared/contract/bot-payment-link.ts";
import { openLink, type PlacedOrder, placeOrder } from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { packageSummary } from "shared/payments/package-summary.ts";
import { openGateway, type PaymentGateway } from "shared/razorpay/gateway.ts";
import { success } from "shared/http/reply.ts";
import { toReceipt } from "shared/payments/settlement.ts";

/** Razorpay takes 15 minutes at the least; an hour is a chat's patience. */
const LINK_LIFE_MS = 60 * 60 * 1000;

export default endpoint(botPaymentLink, async (input) => {
  const gateway = openGateway();
  const order = await placeOrder({
    identity: input,
    packageId: input.package_id,
    keyMode: gateway.mode,
    channel: "link",
    referenceId: input.reference_id ?? undefined,
  });

  const link = storedLink(order) ?? await makeLink(order, { gateway, ...input });
  return success("Payment link created successfully", {
    short_url: link.stored_short_url,
    amount: order.amount_paise,
    currency: order.currency,
    package: packageSummary(input.package_id, order),
    expires_at: link.stored_expires_at,
  }, { replayed: order.outcome === "replayed", userId: order.user_id });
});

function storedLink({ short_url, expires_at }: PlacedOrder) {
  if (short_url === null || expires_at === null) return undefined;
  return { stored_short_url: short_url, stored_expires_at: expires_at };
}

async function makeLink(
  order: PlacedOrder,
  { gateway, phone_number }: {
    gateway: PaymentGateway;
    phone_number?: string | null;
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
  // A link that an earlier try made expires when that try said.
  const expireBy = link.expire_by ? new Date(link.expire_by * 1000) : expiresAt;
  return await openLink({
    orderId: order.order_id,
    paymentLinkId: link.id,
    shortUrl: link.short_url,
    expiresAt: expireBy.toISOString(),
  });
}
