/**
 * The small parts that the views are made of.
 * @module
 */

import { cloneElement, type ComponentChildren, type VNode } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { formatNumber, formatPaise, formatTime } from "../common/format.ts";
import { sentenceOf } from "./api.ts";
import type { Loaded } from "./context.ts";
import type { Customer } from "./functions.ts";
import { customerHref } from "./route.ts";

/** A day, in milliseconds. */
export const DAY_MS = 86_400_000;

/** A whole number. */
export const number = (value: number) => formatNumber(value, "en");
/** Money. */
export const rupees = (paise: number) => formatPaise(paise, "en");

/** A number of things: `1 credit`, `5 credits`. */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** Text that somebody else wrote. Its direction stays its own, so that it cannot rearrange what is around it. */
export function Foreign({ text, isCode = false }: { text: string | null; isCode?: boolean }) {
  if (text === null || text === "") return <span class="muted">none</span>;
  return <bdi class={isCode ? "foreign code" : "foreign"}>{text}</bdi>;
}

/** A moment, in the operator's own time zone. */
export function Moment({ at }: { at: string | null }) {
  if (at === null) return <span class="muted">never</span>;
  return <time dateTime={at} title={at}>{formatTime(at, "en")}</time>;
}

/** A word that stands out: a state, a flag. */
export function Badge({ tone, children }: {
  tone?: "good" | "warn" | "bad" | undefined;
  children: ComponentChildren;
}) {
  return <span class={`badge ${tone ?? ""}`}>{children}</span>;
}

/** A link to a customer, and to one order of theirs. */
export function CustomerLink({ userId, orderId, children }: {
  userId: string;
  orderId?: string | null;
  children?: ComponentChildren;
}) {
  return <a href={customerHref(userId, orderId)}>{children ?? shortId(userId)}</a>;
}

/** By what an account is known. */
export function nameOf(
  { phone_number, identities, user_id }: Pick<Customer, "phone_number" | "identities" | "user_id">,
): string {
  return phone_number ?? identities[0]?.value ?? user_id;
}

/** The beginning of a long id. */
export function shortId(id: string): string {
  return id.length > 13 ? `${id.slice(0, 8)}…` : id;
}

/** The heading of a view, which names the document. It can be focused, so that a new view is read. */
export function ViewHeading({ title, children }: { title: string; children?: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} – Credits console`;
  }, [title]);
  return <h1 tabIndex={-1}>{children ?? title}</h1>;
}

/** Moves the focus to the heading whenever what is shown becomes something else, so that it is read. */
export function useFocusOnChange(shown: string): void {
  const former = useRef(shown);
  useEffect(() => {
    if (former.current === shown) return;
    former.current = shown;
    document.querySelector<HTMLElement>("h1")?.focus();
  }, [shown]);
}

/** A part of a view. */
export function Section({ title, aside, children }: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  const id = `section-${title.toLowerCase().replaceAll(/\W+/g, "-")}`;
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** A table that scrolls sideways where the screen is narrow. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return <div class="scroll" role="region" aria-label={label} tabIndex={0}>{children}</div>;
}

/** What went wrong, what that means here, and a way to try again. */
export function Problem(
  { error, note, retry }: { error: unknown; note?: string; retry?: () => void },
) {
  return (
    <div class="notice bad" role="alert">
      <p>{sentenceOf(error)} {note}</p>
      {retry && <button type="button" onClick={retry}>Try again</button>}
    </div>
  );
}

/** What is loaded, or that it is being loaded, or why it could not be, above what was there before. */
export function Await<Data>({ loaded, children }: {
  loaded: Loaded<Data>;
  children: (data: Data) => ComponentChildren;
}) {
  const { data, error, isLoading, reload } = loaded;
  if (data === undefined) {
    return error === undefined
      ? <p class="loading" role="status">Loading…</p>
      : <Problem error={error} retry={reload} />;
  }
  return (
    <div aria-busy={isLoading}>
      {error !== undefined && (
        <Problem error={error} note="What is below was loaded before." retry={reload} />
      )}
      {children(data)}
    </div>
  );
}

/** A field with its label; the hint describes it. */
export function Field({ label, hint, children }: {
  label: string;
  hint?: string | undefined;
  children: VNode<{ "aria-describedby"?: string }>;
}) {
  const hintId = useId();
  return (
    <div class="field">
      <label>
        <span class="field-label">{label}</span>
        {hint ? cloneElement(children, { "aria-describedby": hintId }) : children}
      </label>
      {hint && <span id={hintId} class="hint">{hint}</span>}
    </div>
  );
}

/** How far something has come. */
export function Progress({ done, total, children }: {
  done: number;
  total?: number | undefined;
  children: ComponentChildren;
}) {
  return (
    <p class="progress" role="status">
      <progress
        aria-label="How far it is"
        {...(total === undefined ? {} : { value: Math.min(done, total), max: Math.max(1, total) })}
      />
      <span>{children}</span>
    </p>
  );
}
