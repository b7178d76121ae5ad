/**
 * The history: what each entry was, in words, page by page.
 * @module
 */

import { useRef, useState } from "preact/hooks";
import type { Account, Entry } from "./account.ts";
import { type Speech, useSpeech } from "./language.ts";

interface HistoryProps {
  readonly account: Account;
  /** Loads one more page. */
  readonly loadOlder: () => Promise<void>;
}

/** Entries whose reference helps a customer to ask about them. */
const TELLS_REFERENCE: readonly string[] = ["payment", "refund", "dispute"];

/** The entries that are loaded, the newest first. */
export function History({ account, loadOlder }: HistoryProps) {
  const { messages: { history }, number } = useSpeech();
  const [state, setState] = useState<"idle" | "loading" | "failed">("idle");
  const list = useRef<HTMLOListElement>(null);
  const { entries, total, nextCursor } = account;
  const more = async () => {
    if (state === "loading") return;
    setState("loading");
    try {
      await loadOlder();
      setState("idle");
      // The button may be gone, and a reader goes on with the first of the new entries.
      (list.current?.children[entries.length] as HTMLElement | undefined)?.focus();
    } catch {
      setState("failed");
    }
  };
  return (
    <section class="history" aria-labelledby="history">
      <h2 id="history">{history.heading}</h2>
      {entries.length === 0 ? <p class="muted">{history.empty}</p> : (
        <>
          <ol class="entries" ref={list}>
            {entries.map((entry) => <Row key={entry.id} entry={entry} />)}
          </ol>
          <p class="muted" role="status">
            {state === "failed"
              ? history.failed
              : history.shown(number(entries.length), number(total))}
          </p>
        </>
      )}
      {nextCursor !== null && (
        <button type="button" onClick={more} aria-disabled={state === "loading"}>
          {history.older}
        </button>
      )}
    </section>
  );
}

function Row({ entry }: { readonly entry: Entry }) {
  const speech = useSpeech();
  const { messages: { history }, number, time } = speech;
  const { action, credits, balance_after, created_at, source, reference_id } = entry;
  const isCredit = action === "credit";
  const spoken = isCredit ? history.plus : history.minus;
  return (
    <li tabIndex={-1}>
      <p class="what">
        {nameOf(entry, speech)}
        {reference_id && TELLS_REFERENCE.includes(source) && <small>{reference_id}</small>}
      </p>
      <p class={isCredit ? "change plus" : "change"}>
        <span aria-hidden="true">{isCredit ? "+" : "−"}{number(credits)}</span>
        <span class="visually-hidden">{spoken(credits, number(credits))}</span>
      </p>
      <p class="when">
        <time dateTime={created_at}>{time(created_at)}</time>
      </p>
      <p class="after">{history.balanceAfter(number(balance_after))}</p>
    </li>
  );
}

/** What an entry was, in words. */
function nameOf({ action, source, quantity }: Entry, { messages, number }: Speech): string {
  const { sources, actions, actionNames } = messages.history;
  if (isKeyOf(sources, source)) return sources[source][action];
  if (isKeyOf(actions, source)) {
    return quantity === null ? actionNames[source] : actions[source](quantity, number(quantity));
  }
  // A word that joined later: the id of an action, such as pdf_summary.
  const words = source.replaceAll("_", " ");
  const name = words.charAt(0).toUpperCase() + words.slice(1);
  return quantity === null || quantity === 1 ? name : `${name} × ${number(quantity)}`;
}

function isKeyOf<Known extends object>(known: Known, name: PropertyKey): name is keyof Known {
  return Object.hasOwn(known, name);
}
