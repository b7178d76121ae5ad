/**
 * Has the bot told again: of one event, or of a period's.
 * @module
 */

import { useRef, useState } from "preact/hooks";
import { isRefusal } from "../../common/backend.ts";
import { sentenceOf } from "../api.ts";
import { useConsole, useStop } from "../context.ts";
import type { BotEvent } from "../functions.ts";
import { count, DAY_MS, Field, Foreign, Progress } from "../parts.tsx";
import { ActDialog, Dialog, MAX_REASON_LENGTH } from "./dialog.tsx";

/** Has the bot told of one event again. */
export function ResendDialog(
  { event, onClose }: { event: BotEvent; onClose: (isChanged: boolean) => void },
) {
  const arrived = event.deliveries.filter(({ state }) => state === "delivered").length;
  return (
    <ActDialog
      title="Tell the bot again"
      act="resend-events"
      confirm="Send again"
      request={{ event_id: event.event_id }}
      forecast={
        <>
          <li>
            1 event <Foreign text={event.type} /> is sent to every address of the bot
            {event.deliveries.length > 0 &&
              `; ${arrived} of ${count(event.deliveries.length, "address", "addresses")} had it`}.
          </li>
          <li>No credits change. A bot knows an event it has by its id.</li>
        </>
      }
      outcome={({ data }) =>
        data.resent === 0
          ? "But there is no address to send it to."
          : `${count(data.resent, "event")} will be sent within a minute.`}
      onClose={onClose}
    />
  );
}

/** A part of the period that is sent in one call. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** No shorter span is halved: its events would still be more than a call takes. */
const MIN_SPAN_MS = 1_000;

/**
 * Has the bot told again of a period's events: a day at a time, and less where a day has more than a call
 * takes. It can be stopped and goes on where it was; each part has a reference of its own.
 */
export function ResendPeriodDialog(
  { since, onClose }: { since?: string | null; onClose: (isChanged: boolean) => void },
) {
  const { api } = useConsole();
  const [referenceId] = useState(() => crypto.randomUUID());
  const [from, setFrom] = useState(localTime(new Date(since ?? Date.now() - DAY_MS)));
  const [to, setTo] = useState(localTime(new Date(Date.now() + 60_000)));
  const [reason, setReason] = useState("");
  const [stage, setStage] = useState<"asking" | "sending" | "stopped" | "done">("asking");
  const [error, setError] = useState<unknown>();
  const [sent, setSent] = useState({ events: 0, ms: 0 });
  const waiting = useRef<Span[] | undefined>(undefined);
  const isStopped = useStop();

  const period = { from: Date.parse(from), to: Date.parse(to) };
  const isValid = period.from < period.to;
  const totalMs = isValid ? period.to - period.from : 0;

  async function send() {
    setStage("sending");
    setError(undefined);
    isStopped.current = false;
    const spans = waiting.current ??= days(period);
    try {
      while (!isStopped.current) {
        const span = spans[0];
        if (!span) return setStage("done");
        const events = await sendSpan(span);
        if (events === undefined) {
          const middle = Math.floor((span.from + span.to) / 2);
          spans.splice(0, 1, { from: span.from, to: middle }, { from: middle, to: span.to });
          continue;
        }
        spans.shift();
        setSent((sent) => ({ events: sent.events + events, ms: sent.ms + span.to - span.from }));
      }
    } catch (error) {
      setError(error);
    }
    setStage("stopped");
  }

  /** Returns how many were sent, or undefined if these are too many for one call. */
  async function sendSpan(span: Span): Promise<number | undefined> {
    const [from, to] = [new Date(span.from).toISOString(), new Date(span.to).toISOString()];
    const body = { from, to, reason: reason.trim(), reference_id: `${referenceId} ${from} ${to}` };
    try {
      return (await api.call("resend-events", { body })).data.resent;
    } catch (error) {
      // The code says that the request is wrong, and only the message that it is so by asking for too much.
      const isTooMany = isRefusal(error, ["INVALID_REQUEST"]) && error.message.includes("10,000");
      if (isTooMany && span.to - span.from > MIN_SPAN_MS) return undefined;
      throw error;
    }
  }

  const isBegun = waiting.current !== undefined;
  return (
    <Dialog
      title="Send a period's events again"
      isBusy={stage === "sending"}
      onClose={() => onClose(isBegun)}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <fieldset class="plain" disabled={isBegun}>
          <div class="pair">
            <Field label="From">
              <input
                type="datetime-local"
                required
                value={from}
                onInput={(event) => setFrom(event.currentTarget.value)}
              />
            </Field>
            <Field label="Until" hint={isValid ? undefined : "Must be after the beginning."}>
              <input
                type="datetime-local"
                required
                value={to}
                onInput={(event) => setTo(event.currentTarget.value)}
              />
            </Field>
          </div>
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
          <ul>
            <li>
              Every event of {isValid ? count(days(period).length, "part") : "the period"}{" "}
              of at most a day is sent to every address of the bot, whether or not it had arrived.
            </li>
            <li>No credits change. Addresses that were given up are sent to again.</li>
          </ul>
        </div>
        <div class="result" aria-live="polite">
          {isBegun && (
            <Progress done={sent.ms} total={totalMs}>
              {Math.floor(100 * sent.ms / Math.max(1, totalMs))} % of the period,{" "}
              {count(sent.events, "event")} {stage === "done" ? "will be sent" : "so far"}
            </Progress>
          )}
          {error !== undefined && (
            <p class="notice warn">
              {sentenceOf(error)} What was sent stays sent; going on sends nothing twice.
            </p>
          )}
          {stage === "done" && (
            <p class="notice">
              <strong>Done.</strong>
            </p>
          )}
        </div>
        <div class="buttons">
          {stage === "sending"
            ? <button type="button" onClick={() => isStopped.current = true}>Stop</button>
            : stage !== "done" && (
              <button type="submit" class="primary" disabled={!isValid || !reason.trim()}>
                {isBegun ? "Go on" : "Send again"}
              </button>
            )}
          <button type="button" disabled={stage === "sending"} onClick={() => onClose(isBegun)}>
            {stage === "done" ? "Close" : "Cancel"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Cuts a period into days. */
function days({ from, to }: Span): Span[] {
  return Array.from({ length: Math.ceil((to - from) / DAY_MS) }, (_, day) => ({
    from: from + day * DAY_MS,
    to: Math.min(to, from + (day + 1) * DAY_MS),
  }));
}

/** As an input for a time takes it: in the operator's time zone, to the minute. */
function localTime(time: Date): string {
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
