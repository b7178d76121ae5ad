/**
 * Every function of the API, for whatever is generated from or checked on all of them.
 * @module
 */

import { adjustCredits } from "shared/contract/adjust-credits.ts";
import { botCapture } from "shared/contract/bot-capture.ts";
import { botCredits } from "shared/contract/bot-credits.ts";
import { botDeduct } from "shared/contract/bot-deduct.ts";
import { botLink } from "shared/contract/bot-link.ts";
import { botPaymentLink } from "shared/contract/bot-payment-link.ts";
import { botPrices } from "shared/contract/bot-prices.ts";
import { botRelease } from "shared/contract/bot-release.ts";
import { botReserve } from "shared/contract/bot-reserve.ts";
import { checkBooks } from "shared/contract/check-books.ts";
import { createOrder } from "shared/contract/create-order.ts";
import { creditHistory } from "shared/contract/credit-history.ts";
import { deliverEvents } from "shared/contract/deliver-events.ts";
import { endHold } from "shared/contract/end-hold.ts";
import { eraseUser } from "shared/contract/erase-user.ts";
import { exportStatement } from "shared/contract/export-statement.ts";
import { findCustomer } from "shared/contract/find-customer.ts";
import { forgiveDebt } from "shared/contract/forgive-debt.ts";
import { freezeUser } from "shared/contract/freeze-user.ts";
import { getCustomer } from "shared/contract/get-customer.ts";
import { getOperator } from "shared/contract/get-operator.ts";
import { listActionsTaken } from "shared/contract/list-actions-taken.ts";
import { listAttention } from "shared/contract/list-attention.ts";
import { listEntries } from "shared/contract/list-entries.ts";
import { mergeUsers } from "shared/contract/merge-users.ts";
import { paymentReturn } from "shared/contract/payment-return.ts";
import { razorpayWebhook } from "shared/contract/razorpay-webhook.ts";
import { reconcilePayments } from "shared/contract/reconcile-payments.ts";
import { refundPayment } from "shared/contract/refund-payment.ts";
import { resendEvents } from "shared/contract/resend-events.ts";
import { salesReport } from "shared/contract/sales-report.ts";
import { settleOrder } from "shared/contract/settle-order.ts";
import { unfreezeUser } from "shared/contract/unfreeze-user.ts";
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
  paymentReturn,
  botPaymentLink,
  botLink,
  razorpayWebhook,
  reconcilePayments,
  deliverEvents,
  getOperator,
  settleOrder,
  eraseUser,
  findCustomer,
  getCustomer,
  listEntries,
  adjustCredits,
  forgiveDebt,
  freezeUser,
  unfreezeUser,
  refundPayment,
  mergeUsers,
  endHold,
  resendEvents,
  exportStatement,
  listActionsTaken,
  salesReport,
  listAttention,
  checkBooks,
];
