/**
 * POST /refund-payment: an operator has Razorpay return the money of a payment, or a part of it.
 *
 * What was asked for is recorded before Razorpay is asked, and what came of it afterwards. A call that is
 * cut off in between is finished by repeating it.
 * @module
 */

import { refundPayment } from "shared/contract/refund-payment.ts";
import { askRefund, finishRefund } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { pending, success } from "shared/http/reply.ts";
import { REFUND_NOT_CONFIRMED } from "shared/messages.ts";
import { refundReversal } from "shared/payments/reversals.ts";
import { GatewayError, onlyGatewayError } from "shared/razorpay/gateway-error.ts";
import { createGateway } from "shared/razorpay/gateway.ts";

export default endpoint(refundPayment, async (input, { operator }) => {
  const { payment_id, amount_paise, reason, reference_id } = input;
  // Nothing is recorded if Razorpay cannot be asked at all.
  const gateway = createGateway();
  const asked = await askRefund({
    payment_id,
    amount_paise,
    operator: operator.name,
    operator_id: operator.id,
    reason,
    reference_id,
  });
  switch (asked.outcome) {
    case "asking":
    case "asked":
      break;
    case "replayed":
      return success(refundPayment.successMessage, asked.result, { replayed: true });
    case "refused":
      throw refused(asked.result.refusal);
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
    case "payment_not_found":
      throw new RequestError("PAYMENT_NOT_FOUND");
    case "payment_not_captured":
      throw new RequestError("PAYMENT_NOT_CAPTURED");
    case "refund_exceeds_payment":
      throw new RequestError("REFUND_EXCEEDS_PAYMENT");
  }

  const answer = await gateway
    .refundPayment({
      paymentId: payment_id,
      amountPaise: asked.refund_paise,
      key: asked.refund_key,
    })
    .catch(onlyGatewayError);
  if (answer instanceof GatewayError && answer.kind !== "refused") {
    // With another key or configuration the same call will do. Anything else may have made the refund.
    if (answer.kind === "denied") throw answer;
    return pending(REFUND_NOT_CONFIRMED, { error: answer });
  }
  const finished = await finishRefund({
    reference_id,
    ...(answer instanceof GatewayError
      ? { refusal: answer.reason }
      : { refund: refundReversal(answer) }),
  });
  if (finished.outcome === "refused") throw refused(finished.result.refusal);
  // Another call for the same reference may have been faster.
  return success(refundPayment.successMessage, finished.result, {
    replayed: finished.outcome === "replayed",
  });
});

function refused(refusal: string): RequestError {
  return new RequestError("REFUND_REFUSED", {
    message: `Razorpay refused the refund (${refusal})`.slice(0, 500),
  });
}
