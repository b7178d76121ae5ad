/**
 * The packages, and the button that opens Checkout. The order is made when a package is chosen, so that
 * the tap on the button can open Checkout at once.
 * @module
 */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ErrorCode } from "shared/errors.ts";
import { callFunction, Refusal } from "../common/backend.ts";
import type { Configuration } from "../common/configuration.ts";
import type { Package } from "./account.ts";
import { ChatLink } from "./chat-link.tsx";
import { loadCheckout, type Order, type Razorpay } from "./checkout.ts";
import { useSpeech } from "./language.ts";
import { useIsOnline } from "./online.ts";
import { hasEnded, type Proof } from "./proof.ts";
import type { Payment } from "./purchase.ts";

/** What a tap needs to open Checkout. */
export interface Prepared {
  readonly order: Order;
  readonly Razorpay: Razorpay;
}

interface BuyProps {
  readonly configuration: Configuration;
  readonly proof: Proof;
  /** Undefined if they could not be loaded. */
  readonly packages: readonly Package[] | undefined;
  readonly isFrozen: boolean;
  readonly payment: Payment;
  readonly reload: () => Promise<void>;
  readonly expire: () => void;
  readonly begin: (prepared: Prepared) => void;
  /** What is said about a payment, in place of the packages. */
  readonly children: ComponentChildren;
}

/** The packages, for those who can buy here. */
export function Buy({ children, ...props }: BuyProps) {
  const { messages: { buy, ...messages } } = useSpeech();
  const { configuration, proof, packages, isFrozen, payment, reload } = props;
  const [isLoading, setLoading] = useState(false);
  if (!packages) {
    const retry = async () => {
      if (isLoading) return;
      setLoading(true);
      await reload().catch(() => {});
      setLoading(false);
    };
    return (
      <>
        {children}
        <p role="status">{isLoading ? buy.preparing : buy.noPackages}</p>
        <button type="button" onClick={retry} aria-disabled={isLoading}>{messages.retry}</button>
      </>
    );
  }
  if (proof.phoneNumber === undefined || isFrozen) {
    return (
      <>
        {children}
        {!isFrozen && <p class="notice">{buy.inChat}</p>}
        <ul class="packages">
          {packages.map((item) => (
            <li key={item.id} class="package">
              <Offer item={item} />
            </li>
          ))}
        </ul>
        <ChatLink configuration={configuration}>{messages.openChat}</ChatLink>
      </>
    );
  }
  // Both stand in the same place, which is as high as the higher one: nothing below moves.
  return (
    <div class="stack">
      <PackageForm {...props} packages={packages} isHidden={payment.state !== "none"} />
      {children}
    </div>
  );
}

/** An order may be older than this at Razorpay, but then the price may have changed. */
const ORDER_LIFE_MS = 10 * 60 * 1000;
/** Somebody who goes through the packages with the arrow keys chooses the last one only. */
const CHOOSING_MS = 300;

type PackageFormProps = Omit<BuyProps, "children" | "packages"> & {
  readonly packages: readonly Package[];
  readonly isHidden: boolean;
};

function PackageForm(
  { configuration, proof, packages, payment, isHidden, expire, begin }: PackageFormProps,
) {
  const { messages: { buy, retry }, rupees } = useSpeech();
  const problems: Readonly<Partial<Record<Problem, string>>> = buy.problems;
  const isOnline = useIsOnline();
  const [chosen, setChosen] = useState<Package>();
  const [attempt, setAttempt] = useState(0);
  const [prepared, setPrepared] = useState<Prepared>();
  const [problem, setProblem] = useState<Problem>();
  const orders = useRef(new Map<string, { order: Order; until: number }>());

  const orderOf = async ({ id }: Package): Promise<Order> => {
    const known = orders.current.get(id);
    if (known && known.until > Date.now()) return known.order;
    const { data: order } = await callFunction<Order>(configuration, "create-order", {
      headers: proof.headers,
      body: { package_id: id, phone_number: proof.phoneNumber },
    });
    orders.current.set(id, { order, until: Date.now() + ORDER_LIFE_MS });
    return order;
  };

  useEffect(() => {
    setPrepared(undefined);
    setProblem(undefined);
    if (!chosen || !isOnline) return;
    let isCurrent = true;
    const prepare = async () => {
      try {
        const [order, Razorpay] = await Promise.all([
          orderOf(chosen),
          loadCheckout(configuration).catch(() => undefined),
        ]);
        if (!isCurrent) return;
        if (Razorpay) setPrepared({ order, Razorpay });
        else setProblem("BLOCKED");
      } catch (error) {
        if (!isCurrent) return;
        if (hasEnded(error)) expire();
        setProblem(problemOf(error));
      }
    };
    const timer = setTimeout(prepare, CHOOSING_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [chosen, attempt, isOnline]);

  // The order is paid, and the next purchase is another one.
  useEffect(() => {
    if (payment.state !== "paid") return;
    orders.current.clear();
    setChosen(undefined);
  }, [payment.state]);

  if (packages.length === 0) return <p class={isHidden ? "hidden" : ""}>{buy.nothing}</p>;
  const press = (event: Event) => {
    event.preventDefault();
    if (problem) setAttempt(attempt + 1);
    else if (prepared) begin(prepared);
  };
  const label = !chosen
    ? buy.choose
    : problem
    ? retry
    : prepared
    ? buy.pay(rupees(prepared.order.amount / 100))
    : isOnline
    ? buy.preparing
    : buy.pay(rupees(chosen.price));
  return (
    <form class={isHidden ? "hidden" : ""} onSubmit={press}>
      <fieldset>
        <legend class="visually-hidden">{buy.choose}</legend>
        <div class="packages">
          {packages.map((item) => (
            <label key={item.id} class="package">
              <input
                type="radio"
                name="package"
                value={item.id}
                checked={item.id === chosen?.id}
                onChange={() => setChosen(item)}
              />
              <Offer item={item} />
            </label>
          ))}
        </div>
      </fieldset>
      <button
        type="submit"
        class="primary"
        aria-disabled={!prepared && !problem}
        aria-describedby="buy-note"
      >
        <span key={label}>{label}</span>
      </button>
      <p
        id="buy-note"
        class={problem || !isOnline ? "note bad" : "note"}
        role="status"
      >
        {!isOnline
          ? buy.offline
          : problem
          ? problems[problem] ?? buy.problems.OTHER
          : buy.safely(configuration.seller_name)}
      </p>
    </form>
  );
}

/** What one gets for how much. */
function Offer({ item: { name, credits, price } }: { readonly item: Package }) {
  const { messages: { buy }, credits: counted, rupees } = useSpeech();
  return (
    <>
      <span class="offer">
        <strong>{counted(credits)}</strong>
        <span class="muted">{name}</span>
      </span>
      <span class="price">
        <strong>{rupees(price)}</strong>
        <span class="muted">{buy.each(rupees(price / credits))}</span>
      </span>
    </>
  );
}

/** Why nothing can be bought now. */
type Problem = "BLOCKED" | "OTHER" | ErrorCode;

function problemOf(error: unknown): Problem {
  return error instanceof Refusal ? error.code : "OTHER";
}
