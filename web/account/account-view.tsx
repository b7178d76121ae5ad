/**
 * An account: the balance, what can be bought, the history, and what became of a payment.
 * @module
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Configuration } from "../common/configuration.ts";
import {
  type Account,
  loadAccount,
  loadOlderEntries,
  type Package,
  withOlderEntries,
} from "./account.ts";
import { Balance } from "./balance.tsx";
import { Buy, type Prepared } from "./buy.tsx";
import { ChatLink } from "./chat-link.tsx";
import { openCheckout } from "./checkout.ts";
import { isAtPurchase } from "./focus.ts";
import { History } from "./history.tsx";
import { useSpeech } from "./language.ts";
import { PaymentPanel, wordsOf } from "./payment-panel.tsx";
import { hasEnded, type Proof, type Return } from "./proof.ts";
import {
  arrivedCredits,
  askRepeatedly,
  type Ending,
  forgetPurchase,
  type Payment,
  paymentAtOpening,
  type Purchase,
  rememberPurchase,
  verify,
} from "./purchase.ts";

interface AccountViewProps {
  readonly configuration: Configuration;
  readonly proof: Proof;
  readonly returned: Return | undefined;
  readonly account: Account;
  readonly packages: readonly Package[] | undefined;
  readonly update: (account: Account) => void;
  /** Loads the packages again; rejects if they still cannot be loaded. */
  readonly reload: () => Promise<void>;
  /** Ends the page: what proved the account has ended. */
  readonly expire: () => void;
}

/** Checkout's header and buttons have white text on this. */
const CHECKOUT_COLOR = "#0b6b4f";
/** What a customer has to learn of a payment, even if the link has ended meanwhile. */
const MUST_BE_READ: readonly Payment["state"][] = [
  "open",
  "confirming",
  "pending",
  "closed",
  "paid",
  "failed",
  "unclear",
];
const WARNING_MS = 5 * 60 * 1000;
const CLOCK_MS = 30_000;

/** The page of an account that has been loaded. */
export function AccountView(props: AccountViewProps) {
  const { configuration, proof, returned, packages } = props;
  const speech = useSpeech();
  const { messages } = speech;
  const [payment, setPayment] = useState<Payment>(() => paymentAtOpening(props.account, returned));
  /** Whether the customer waits for what is said about the payment, and is taken there. */
  const [isAttended, setIsAttended] = useState(returned !== undefined);
  // What happens later has to know the account as it is then.
  const latest = useRef(props.account);
  latest.current = props.account;
  const current = useRef(payment);
  current.current = payment;
  const buyHeading = useRef<HTMLHeadingElement>(null);
  const asking = useRef<AbortController | undefined>(undefined);
  /** When the backend was asked for the account that is shown. */
  const askedAt = useRef(0);

  const update = (account: Account) => {
    latest.current = account;
    props.update(account);
  };
  const reload = async () => {
    await props.reload();
    // The button that was pressed goes.
    if (isAtPurchase()) buyHeading.current?.focus();
  };
  const refresh = async () => {
    const now = performance.now();
    const fresh = withOlderEntries(await loadAccount(configuration, proof), latest.current);
    // A slow answer does not replace a newer one.
    if (now >= askedAt.current) {
      askedAt.current = now;
      update(fresh);
    }
    return fresh;
  };
  const end = (ending: Payment) => {
    setPayment(ending);
    if (ending.state === "paid" || ending.state === "unclear") {
      forgetPurchase(latest.current.userId);
    }
  };

  /** Asks until the purchase has ended, or, if it never does, leaves it at `unanswered`. */
  const follow = async (ask: () => Promise<Ending | undefined>, unanswered?: Payment) => {
    asking.current?.abort();
    const controller = asking.current = new AbortController();
    const ending = await askRepeatedly(ask, controller.signal) ?? unanswered;
    if (controller.signal.aborted || !ending) return;
    end(ending);
    await askRepeatedly(refresh, controller.signal);
  };
  const askForCredits = (purchase: Purchase) => async (): Promise<Ending | undefined> => {
    const credits = arrivedCredits(await refresh(), purchase);
    return credits === undefined ? undefined : { state: "paid", credits };
  };

  const begin = ({ order, Razorpay }: Prepared) => {
    const purchase: Purchase = {
      orderId: order.order_id,
      package: order.package,
      startedAt: new Date().toISOString(),
      entriesBefore: latest.current.total,
    };
    let failure: string | undefined;
    asking.current?.abort();
    openCheckout(Razorpay, {
      order,
      configuration,
      phoneNumber: proof.phoneNumber ?? "",
      description: messages.buy.description(
        order.package.name,
        speech.credits(order.package.credits),
      ),
      color: CHECKOUT_COLOR,
      ends: {
        paid: (paid) => {
          setIsAttended(true);
          setPayment({ state: "confirming", purchase });
          follow(() => verify(configuration, proof, purchase, paid), {
            state: "pending",
            purchase,
          });
        },
        failed: (reason) => failure = reason,
        closed: () => {
          setIsAttended(true);
          setPayment(
            failure === undefined
              ? { state: "closed", purchase }
              : { state: "failed", reason: failure },
          );
          follow(askForCredits(purchase));
        },
      },
    });
    rememberPurchase(latest.current.userId, purchase);
    setPayment({ state: "open", purchase });
  };

  useEffect(() => {
    end(payment);
    if ("purchase" in payment) {
      // What is said of a payment under way, or of one that was begun, stays true once the asking ends.
      follow(
        askForCredits(payment.purchase),
        payment.state === "confirming" ? { ...payment, state: "pending" } : undefined,
      );
    }
    // Checkout left the page, and the customer came back to it as it was.
    const comeBack = ({ persisted }: PageTransitionEvent) => {
      const { current: left } = current;
      if (!persisted || left.state !== "open") return;
      setPayment({ ...left, state: "closed" });
      follow(askForCredits(left.purchase));
    };
    addEventListener("pageshow", comeBack);
    return () => {
      removeEventListener("pageshow", comeBack);
      asking.current?.abort();
    };
  }, []);

  const expire = () => {
    if (!MUST_BE_READ.includes(current.current.state)) props.expire();
  };
  const leftMs = useTimeLeft(proof, () => refresh().catch((error) => hasEnded(error) && expire()));
  const isSoonOver = leftMs < WARNING_MS;

  const words = wordsOf(payment, speech);
  const closing = leftMs > 0 && proof.expiresAt && speech.clock(proof.expiresAt);
  return (
    <>
      <p class="visually-hidden" role="status">
        {isSoonOver && closing && messages.link.soon(closing)}
      </p>
      <p class="visually-hidden" role="status">{words && `${words.title} – ${words.text}`}</p>
      <Balance account={props.account}>
        {closing && (
          <p class={isSoonOver ? "until soon" : "until"}>{messages.link.until(closing)}</p>
        )}
      </Balance>
      <section class="buy" aria-labelledby="buy">
        <h2 id="buy" tabIndex={-1} ref={buyHeading}>{messages.buy.heading}</h2>
        <Buy
          {...{ configuration, proof, packages, reload, expire, begin }}
          isFrozen={props.account.isFrozen}
          payment={payment}
        >
          {words && (
            <PaymentPanel
              payment={payment}
              words={words}
              isAttended={isAttended}
              dismiss={() => {
                setPayment({ state: "none" });
                buyHeading.current?.focus();
              }}
            />
          )}
        </Buy>
      </section>
      <History
        account={props.account}
        loadOlder={async () => update(await loadOlderEntries(configuration, proof, latest))}
      />
      <footer>
        <p>{messages.link.help}</p>
        <ChatLink configuration={configuration}>{messages.openChat}</ChatLink>
      </footer>
    </>
  );
}

/**
 * Returns how long the proof lasts by the browser's clock, in milliseconds. Once that says that it has
 * ended, calls `ask` again and again: the clock may be wrong, and the backend knows.
 */
function useTimeLeft({ expiresAt }: Proof, ask: () => void): number {
  const measure = () => expiresAt ? expiresAt.getTime() - Date.now() : Infinity;
  const [leftMs, setLeftMs] = useState(measure);
  useEffect(() => {
    const check = () => {
      setLeftMs(measure);
      if (measure() <= 0 && !document.hidden) ask();
    };
    const timer = setInterval(check, CLOCK_MS);
    // A tab in the background, or a phone that slept, may have missed it.
    document.addEventListener("visibilitychange", check);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", check);
    };
  }, []);
  return leftMs;
}
