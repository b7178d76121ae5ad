/**
 * What became of a payment, in words.
 * @module
 */

import { useEffect, useRef } from "preact/hooks";
import { isAtPurchase } from "./focus.ts";
import { type Speech, useSpeech } from "./language.ts";
import { useIsOnline } from "./online.ts";
import type { Payment } from "./purchase.ts";

/** A state of a payment as it is said. */
interface Words {
  readonly title: string;
  readonly text: string;
}

/** Returns what to say about a payment; undefined if there is nothing to say. */
export function wordsOf(payment: Payment, { messages, number, rupees, time }: Speech) {
  const all = messages.payment;
  switch (payment.state) {
    case "none":
      return undefined;
    case "underWay":
    case "begun": {
      const { package: { name, price }, startedAt } = payment.purchase;
      const { title, text } = all[payment.state];
      return { title, text: text(name, rupees(price), time(startedAt)) };
    }
    case "paid":
      return {
        title: all.paid.title,
        text: all.paid.text(payment.credits, number(payment.credits)),
      };
    case "failed": {
      const { title, text, reason } = all.failed;
      return { title, text: payment.reason ? `${reason(payment.reason)}\n${text}` : text };
    }
    case "unclear":
      return { title: all.unclear.title, text: all.unclear.text(payment.paymentId) };
    default:
      return all[payment.state];
  }
}

interface PaymentPanelProps {
  readonly payment: Payment;
  readonly words: Words;
  /** Whether the customer is taken here. */
  readonly isAttended: boolean;
  /** Shows the packages again. */
  readonly dismiss: () => void;
}

/** Which color a state has. */
const TONES: Readonly<Partial<Record<Payment["state"], string>>> = {
  paid: "good",
  failed: "bad",
  unclear: "bad",
};
const BUSY: readonly Payment["state"][] = ["open", "confirming"];

/** Says what became of a payment, in place of the packages. */
export function PaymentPanel({ payment, words, isAttended, dismiss }: PaymentPanelProps) {
  const { messages } = useSpeech();
  const isOnline = useIsOnline();
  const heading = useRef<HTMLHeadingElement>(null);
  const { state } = payment;
  const isBusy = BUSY.includes(state);
  // Checkout gives the focus back to the button, which is hidden by now.
  useEffect(() => {
    if (isAttended && isAtPurchase() && state !== "open") heading.current?.focus();
  }, [isAttended, state]);
  return (
    <div class={`panel ${TONES[state] ?? ""}`}>
      <h3 tabIndex={-1} ref={heading}>
        <span key={state}>
          {isBusy && <span class="spinner" />}
          {words.title}
        </span>
      </h3>
      <p key={state}>{words.text}</p>
      {isBusy && !isOnline && <p>{messages.payment.offline}</p>}
      {!isBusy && (
        <button type="button" onClick={dismiss}>
          {state === "paid" ? messages.payment.done : messages.buy.choose}
        </button>
      )}
    </div>
  );
}
