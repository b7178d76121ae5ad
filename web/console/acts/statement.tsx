/**
 * Hands out a statement, as a file.
 * @module
 */

import { useState } from "preact/hooks";
import { useConsole, useTurns } from "../context.ts";
import { count, Field, number, Problem, Progress } from "../parts.tsx";
import type { AccountDialogProps } from "./account.tsx";
import { Dialog } from "./dialog.tsx";

/** See `MAX_STATEMENT_ENTRIES` of the contract. */
const MAX_ENTRIES = 10_000;

/** Downloads the entries of a period. It changes nothing, so there is no reason to give. */
export function StatementDialog({ customer, onClose }: AccountDialogProps) {
  const { api } = useConsole();
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [format, setFormat] = useState<"csv" | "json">("csv");
  const [received, setReceived] = useState<number>();
  const [saved, setSaved] = useState<string>();
  const [error, setError] = useState<unknown>();
  const nextTurn = useTurns();
  const isBusy = received !== undefined && saved === undefined && error === undefined;
  const total = from || to ? undefined : customer.total_entries;

  async function download() {
    setReceived(0);
    setSaved(undefined);
    setError(undefined);
    const query = { user_id: customer.user_id, from, to, format };
    try {
      // It takes as long as it takes, and ends with the dialog.
      const file = await api.download(query, nextTurn(), setReceived);
      const name = ["statement", customer.user_id.slice(0, 8), from, to].filter(Boolean).join("-");
      save(file, `${name}.${format}`);
      setSaved(`${name}.${format}`);
    } catch (error) {
      setError(error);
    }
  }

  return (
    <Dialog title="Export a statement" customer={customer} onClose={() => onClose(false)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          download();
        }}
      >
        <fieldset class="plain" disabled={isBusy}>
          <div class="pair">
            <Field label="From" hint="The beginning, if left out.">
              <input
                type="date"
                value={from}
                onInput={(event) => setFrom(event.currentTarget.value)}
              />
            </Field>
            <Field label="Before" hint="Until now, if left out.">
              <input type="date" value={to} onInput={(event) => setTo(event.currentTarget.value)} />
            </Field>
          </div>
          <fieldset class="choices">
            <legend>Format</legend>
            <label>
              <input
                type="radio"
                name="format"
                checked={format === "csv"}
                onChange={() => setFormat("csv")}
              />
              CSV, for a spreadsheet
            </label>
            <label>
              <input
                type="radio"
                name="format"
                checked={format === "json"}
                onChange={() => setFormat("json")}
              />
              JSON
            </label>
          </fieldset>
        </fieldset>
        {total !== undefined && total > MAX_ENTRIES && (
          <p class="notice warn">
            The history has {number(total)} entries, and a statement holds{" "}
            {number(MAX_ENTRIES)}: choose a period.
          </p>
        )}
        <div class="result" aria-live="polite">
          {isBusy && (
            <Progress done={received} total={total}>
              {count(received, "entry", "entries")} {total !== undefined && `of ${number(total)}`}
            </Progress>
          )}
          {error !== undefined && <Problem error={error} />}
          {saved !== undefined && <p class="notice">Saved as {saved}.</p>}
        </div>
        <div class="buttons">
          <button type="submit" class="primary" disabled={isBusy}>Download</button>
          <button type="button" onClick={() => onClose(false)}>
            {isBusy ? "Cancel" : "Close"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
