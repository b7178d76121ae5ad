/**
 * The dialog of every act: what will happen, in numbers; why; and then what has happened.
 *
 * The reference is made once for each dialog, so that a second click, or a try after a lost answer, does
 * it once.
 * @module
 */

import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Answer, Refusal } from "../../common/backend.ts";
import { sentenceOf } from "../api.ts";
import { useConsole } from "../context.ts";
import type { Customer, Functions } from "../functions.ts";
import { Field, Foreign, nameOf, number } from "../parts.tsx";

/** The most characters of a reason that the functions take. */
export const MAX_REASON_LENGTH = 2000;

/** A modal dialog. Escape closes it, unless something is under way. */
export function Dialog({ title, customer, isBusy = false, onClose, children }: {
  title: string;
  /** Whom it is about, if it is about one customer. */
  customer?: Customer | undefined;
  isBusy?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  // The warning before a session ends opens over any other dialog.
  const titleId = useId();
  const customerId = useId();
  // At once: another key may move the focus from the button that opened it before an effect runs.
  useLayoutEffect(() => {
    const opener = document.activeElement;
    const element = dialog.current;
    element?.showModal();
    return () => {
      // As long as it is open, nothing outside can have the focus.
      element?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      else document.querySelector<HTMLElement>("h1")?.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={titleId}
      aria-describedby={customer && customerId}
      onCancel={(event) => {
        event.preventDefault();
        if (!isBusy) onClose();
      }}
    >
      <h2 id={titleId}>{title}</h2>
      {customer && (
        <p id={customerId}>
          Customer <Foreign text={nameOf(customer)} />
        </p>
      )}
      {children}
    </dialog>
  );
}

/** Errors that leave it open whether the act has happened. */
const UNCERTAIN = ["INTERNAL", "UNAVAILABLE", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"];
/** Errors under which the reference is of no more use. */
const FINAL = ["REFERENCE_REUSED", "REFUND_REFUSED"];

type Stage<Data> =
  | { readonly name: "asking"; readonly refusal?: string }
  | { readonly name: "sending" }
  | { readonly name: "uncertain"; readonly sentence: string }
  | { readonly name: "over"; readonly refusal: string }
  | { readonly name: "done"; readonly answer: Answer<Data> };

interface ActDialogProps<Name extends keyof Functions> {
  readonly title: string;
  readonly customer?: Customer | undefined;
  readonly act: Name;
  /** What is asked for besides the reason and the reference; undefined until it is complete. */
  readonly request: Readonly<Record<string, unknown>> | undefined;
  /** What the button says. */
  readonly confirm: string;
  readonly isDangerous?: boolean;
  /** The reference of an earlier call that this one finishes. */
  readonly reference?: string | undefined;
  /** What to choose. */
  readonly fields?: ComponentChildren;
  /** What will happen, as list items. */
  readonly forecast: ComponentChildren;
  /** What has happened. */
  readonly outcome: (answer: Answer<Functions[Name]>) => ComponentChildren;
  /** Whether anything may have changed. */
  readonly onClose: (isChanged: boolean) => void;
}

/** Asks for a reason and a confirmation, acts, and says what came of it. */
export function ActDialog<Name extends keyof Functions>(
  {
    title,
    customer,
    act,
    request,
    confirm,
    isDangerous,
    reference,
    fields,
    forecast,
    outcome,
    onClose,
  }: ActDialogProps<Name>,
) {
  const { api } = useConsole();
  const [referenceId] = useState(() => reference ?? crypto.randomUUID());
  const [reason, setReason] = useState("");
  const [stage, setStage] = useState<Stage<Functions[Name]>>({ name: "asking" });
  /** What was sent last: a try after a lost answer must ask for the same. */
  const sent = useRef<Record<string, unknown> | undefined>(undefined);
  const isSending = useRef(false);
  const result = useRef<HTMLDivElement>(null);

  async function send(body: Record<string, unknown>) {
    // A second click may come before the button is disabled.
    if (isSending.current) return;
    isSending.current = true;
    sent.current = body;
    setStage({ name: "sending" });
    try {
      const answer = await api.call(act, { body });
      // 202: the act was begun, and its outcome is not known.
      setStage(
        answer.status === "PENDING"
          ? { name: "uncertain", sentence: answer.message }
          : { name: "done", answer },
      );
    } catch (error) {
      const code = error instanceof Refusal ? error.code : undefined;
      if (code === undefined || UNCERTAIN.includes(code)) {
        setStage({ name: "uncertain", sentence: sentenceOf(error) });
      } else if (FINAL.includes(code)) {
        setStage({ name: "over", refusal: sentenceOf(error) });
      } else {
        setStage({ name: "asking", refusal: sentenceOf(error) });
      }
    } finally {
      isSending.current = false;
      result.current?.focus();
    }
  }

  const isEditable = stage.name === "asking";
  const isEnded = stage.name === "done" || stage.name === "over";
  return (
    <Dialog
      title={title}
      customer={customer}
      isBusy={stage.name === "sending"}
      onClose={() => onClose(sent.current !== undefined)}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isEditable && request) {
            send({ ...request, reason: reason.trim(), reference_id: referenceId });
          } else if (stage.name === "uncertain" && sent.current) {
            send(sent.current);
          }
        }}
      >
        {!isEnded && (
          <>
            <fieldset class="plain" disabled={!isEditable}>
              {fields}
              <Field label="Reason, for the record">
                <textarea
                  rows={2}
                  required
                  maxLength={MAX_REASON_LENGTH}
                  value={reason}
                  onInput={(event) => setReason(event.currentTarget.value)}
                />
              </Field>
            </fieldset>
            <div class="forecast">
              <h3>What will happen</h3>
              <ul>{forecast}</ul>
            </div>
          </>
        )}
        <div ref={result} tabIndex={-1} class="result" aria-live="polite">
          {stage.name === "sending" && <p>Working…</p>}
          {stage.name === "asking" && stage.refusal && (
            <p class="notice bad">Nothing was changed: {stage.refusal}</p>
          )}
          {stage.name === "over" && <p class="notice bad">Not done: {stage.refusal}</p>}
          {stage.name === "uncertain" && (
            <p class="notice warn">
              {stage.sentence}{" "}
              It is not known whether it happened. Try again: it happens once, however often you
              try.
            </p>
          )}
          {stage.name === "done" && (
            <div class="notice">
              <p>
                <strong>
                  {stage.answer.isRepeated ? "This had been done before." : "Done."}
                </strong>{" "}
                {outcome(stage.answer)}
              </p>
            </div>
          )}
        </div>
        <div class="buttons">
          {!isEnded && (
            <button
              type="submit"
              class={isDangerous ? "danger" : "primary"}
              disabled={stage.name === "sending" || (isEditable && (!request || !reason.trim()))}
            >
              {stage.name === "uncertain" ? "Try again" : confirm}
            </button>
          )}
          <button
            type="button"
            disabled={stage.name === "sending"}
            onClick={() => onClose(sent.current !== undefined)}
          >
            {isEnded ? "Close" : "Cancel"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** A number before and after: `Balance 12 → 17`. */
export function Change({ label, from, to }: { label: string; from: number; to: number }) {
  return (
    <li>
      {from === to ? <>{label} stays {number(to)}</> : (
        <>
          {label} {number(from)} <span aria-hidden="true">→</span>
          <span class="visually-hidden">becomes</span> <strong>{number(to)}</strong>
        </>
      )}
    </li>
  );
}
