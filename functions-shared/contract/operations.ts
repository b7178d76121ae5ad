/**
 * Every function of the API, for whatever is generated from or checked on all of them.
 * @module
 */

import { botCapture } from "shared/contract/bot-capture.ts";
import { botCredits } from "shared/contract/bot-credits.ts";
import { botLink } from "shared/contract/bot-link.ts";
import { botDeduct } from "shared/contract/bot-deduct.ts";
import { botPaymentLink } from "shared/contract/bot-payment-link.ts";
import { createOrder } from "shared/contract/create-order.ts";
import { botPrices } from "shared/contract/bot-prices.ts";
import { botRelease } from "shared/contract/bot-release.ts";
import { botReserve } from "shared/contract/bot-reserve.ts";
import { creditHistory } from "shared/contract/credit-history.ts";
import { eraseUser } from "shared/contract/erase-user.ts";
import { razorpayWebhook } from "shared/contract/razorpay-webhook.ts";
import { reconcilePayments } from "shared/contract/reconcile-payments.ts";
import { settleOrder } from "shared/contract/settle-order.ts";
import { users } from "shared/contract/users.ts";
import { verifyPayment } from "shared/contract/verify-payment.ts";
import type { Operation } from "shared/contract/operation.ts";

/** In the order in which a reader meets them. */
export const OPERATIONS: readonly Operation[] = [
  botCredits,
  botDeduct,
  botReserve,
  botCapture,
  botRelease,
  botPrices,
  users,
  creditHistory,
  createOrder,
  verifyPayment,
  botPaymentLink,
  botLink,
  razorpayWebhook,
  reconcilePayments,
  settleOrder,
  eraseUser,
];
