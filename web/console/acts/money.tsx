/**
 * Acts on orders and payments: refund, settle.
 * @module
 */

import { useState } from "preact/hooks";
import { afterTaking, creditsOfRefund, MIN_REFUND_PAISE, refundablePaise } from "../forecast.ts";
import type { Customer, Payment } from "../functions.ts";
import { count, Field, Foreign, number, rupees } from "../parts.tsx";
import { ActDialog, Change } from "./dialog.tsx";

/** What is refunded, and to whom. */
interface RefundDialogProps {
  readonly paymentId: string;
  /** The payment, if its life is known. */
  readonly payment?: Payment | undefined;
  /** Who bought, if that is known. */
  readonly customer?: Customer | undefined;
  /** What is left of the payment, if it is not told by its life. */
  readonly leftPaise?: number | null | undefined;
  /** An earlier call that is to be finished; its amount is `leftPaise`, null for all that was left. */
  readonly reference?: string | null | undefined;
  readonly onClose: (isChanged: boolean) => void;
}

/** Returns the money of a payment, or a part of it. */
export function RefundDialog(
  { paymentId, payment, customer, leftPaise, reference, onClose }: RefundDialogProps,
) {
  const left = payment ? refundablePaise(payment) : leftPaise ?? 0;
  const [text, setText] = useState("");
  const [isWhole, setWhole] = useState(true);
  const chosen = isWhole ? left : paiseOf(text);
  const paise = chosen !== undefined && chosen >= MIN_REFUND_PAISE && chosen <= left
    ? chosen
    : undefined;
  const request = reference
    ? { payment_id: paymentId, ...(leftPaise != null && { amount_paise: leftPaise }) }
    : paise === undefined
    ? undefined
    : { payment_id: paymentId, ...(!isWhole && { amount_paise: paise }) };
  return (
    <ActDialog
      customer={customer}
      title={reference ? "Finish the refund" : "Refund the payment"}
      act="refund-payment"
      confirm={reference
        ? "Ask Razorpay again"
        : paise === undefined
        ? "Refund"
        : `Refund ${rupees(paise)}`}
      isDangerous
      reference={reference ?? undefined}
      request={request}
      fields={!reference && (
        <>
          <fieldset class="choices">
            <legend>Amount</legend>
            <label>
              <input type="radio" name="part" checked={isWhole} onChange={() => setWhole(true)} />
              All that is left, {rupees(left)}
            </label>
            <label>
              <input type="radio" name="part" checked={!isWhole} onChange={() => setWhole(false)} />
              A part of it
            </label>
          </fieldset>
          {!isWhole && (
            <Field label="Rupees" hint={`From ${rupees(MIN_REFUND_PAISE)} to ${rupees(left)}.`}>
              <input
                inputMode="decimal"
                required
                value={text}
                onInput={(event) =>
                  setText(event.currentTarget.value)}
              />
            </Field>
          )}
        </>
      )}
      forecast={reference
        ? (
          <>
            <li>
              Razorpay is asked about the refund of{" "}
              {leftPaise == null ? "all that was left" : rupees(leftPaise)} of{" "}
              <Foreign text={paymentId} isCode />, and asked to make it if it has not.
            </li>
            <li>Nothing is refunded twice.</li>
          </>
        )
        : paise === undefined
        ? (
          <li>
            {left < MIN_REFUND_PAISE ? "Nothing is left to refund." : "Nothing yet: say how much."}
          </li>
        )
        : <Consequences paise={paise} payment={payment} customer={customer} />}
      outcome={({ data }) => (
        <>
          Razorpay made the refund <Foreign text={data.refund_id} isCode /> of{" "}
          {rupees(data.amount_paise)} ({data.status}). {data.status === "processed"
            ? "The credits follow."
            : "The credits follow once it is processed, which can take a few days."}
        </>
      )}
      onClose={onClose}
    />
  );
}

function Consequences({ paise, payment, customer }: {
  paise: number;
  payment: Payment | undefined;
  customer: Customer | undefined;
}) {
  const credits = payment && creditsOfRefund(payment, paise);
  if (credits === undefined || !customer) {
    return (
      <li>{rupees(paise)} goes back. The credits of this money, if there were any, are taken.</li>
    );
  }
  const after = afterTaking(customer, credits);
  const owed = after.debt_credits - customer.debt_credits;
  return (
    <>
      <li>
        <strong>{rupees(paise)}</strong> goes back; {count(credits, "credit")}{" "}
        {credits === 1 ? "is" : "are"} taken{owed > 0 &&
          `, ${number(owed)} of them ${owed === 1 ? "becomes" : "become"} debt`}.
      </li>
      <Change label="Balance" from={customer.credits} to={after.credits} />
      {customer.debt_credits + after.debt_credits > 0 && (
        <Change label="Debt" from={customer.debt_credits} to={after.debt_credits} />
      )}
      <li>The credits are taken once Razorpay has processed the refund.</li>
    </>
  );
}

/** Reads rupees with at most two decimals as whole paise, or nothing. */
function paiseOf(text: string): number | undefined {
  const match = /^\s*(\d{1,8})(?:\.(\d{1,2}))?\s*$/.exec(text);
  if (!match) return undefined;
  const [, whole = "", part = ""] = match;
  return Number(whole) * 100 + Number(part.padEnd(2, "0"));
}

/** What is settled. */
interface SettleDialogProps {
  readonly order: {
    readonly order_id: string;
    readonly credits?: number;
    readonly amount_paise: number | null;
    readonly state?: string;
  };
  readonly customer?: Customer | undefined;
  readonly onClose: (isChanged: boolean) => void;
}

/** Has one order looked up at Razorpay. */
export function SettleDialog({ order, customer, onClose }: SettleDialogProps) {
  const { credits, amount_paise, state } = order;
  return (
    <ActDialog
      customer={customer}
      title="Look the order up at Razorpay"
      act="settle-order"
      confirm="Ask Razorpay"
      request={{ order: order.order_id }}
      forecast={
        <>
          <li>
            Razorpay is asked for the payments of the order
            {amount_paise !== null && ` of ${rupees(amount_paise)}`}.
          </li>
          {state === "paid"
            ? <li>It is paid already; only what was refunded or disputed can change.</li>
            : (
              <>
                {credits === undefined
                  ? <li>If it was paid, its credits are granted, once.</li>
                  : (
                    <li>
                      If it was paid, {count(credits, "credit")} {credits === 1 ? "is" : "are"}{" "}
                      granted, once{customer &&
                        `: balance ${number(customer.credits)} → ${
                          number(customer.credits + credits)
                        } before debts`}.
                    </li>
                  )}
                <li>If not, nothing changes.</li>
              </>
            )}
        </>
      }
      outcome={({ data }) => (
        <>
          {data.outcomes.length === 0
            ? "Razorpay knows no payment of it."
            : `Razorpay's payments: ${
              data.outcomes.map((word) => word.replaceAll("_", " ")).join(", ")
            }.`}
        </>
      )}
      onClose={onClose}
    />
  );
}
