/**
 * The entries of an account: page by page, or all of them.
 * @module
 */

import { useState } from "preact/hooks";
import { useConsole, useStop } from "./context.ts";
import type { Customer, Entry } from "./functions.ts";
import { type Column, LongTable } from "./long-table.tsx";
import { Foreign, Moment, number, Problem, Progress, Section } from "./parts.tsx";

/** The most that a call returns. */
const PAGE = 500;

const COLUMNS: readonly Column<Entry>[] = [
  { name: "No.", isNumber: true, cell: ({ sequence_number }) => number(sequence_number) },
  { name: "When", cell: ({ created_at }) => <Moment at={created_at} /> },
  {
    name: "Credits",
    isNumber: true,
    cell: ({ action, credits }) => (
      <span class={action === "credit" ? "plus" : "minus"}>
        {action === "credit" ? "+" : "−"}
        {number(credits)}
      </span>
    ),
  },
  { name: "Balance", isNumber: true, cell: ({ balance_after }) => number(balance_after) },
  {
    name: "What for",
    cell: ({ source, quantity, price, payment, reference_id }) => (
      <>
        <Foreign text={source} />
        {quantity !== null && `, ${number(quantity)} ${price?.unit ?? ""}`}
        {payment && payment.payment_id !== reference_id && (
          <>
            , <Foreign text={payment.payment_id} isCode />
          </>
        )}
      </>
    ),
  },
  { name: "Reference", cell: ({ reference_id }) => <Foreign text={reference_id} isCode /> },
];

/** Shows the newest entries, and older ones on request. */
export function Entries({ customer }: { customer: Customer }) {
  const { api } = useConsole();
  const [older, setOlder] = useState<readonly Entry[]>([]);
  const [cursor, setCursor] = useState(customer.next_cursor);
  const [isLoading, setLoading] = useState(false);
  const [error, setError] = useState<unknown>();
  const isStopped = useStop();
  const rows = [...customer.entries, ...older];

  async function load(isAll: boolean) {
    setLoading(true);
    setError(undefined);
    isStopped.current = false;
    let next: string | null = cursor;
    try {
      do {
        const { data } = await api.call("list-entries", {
          query: { user_id: customer.user_id, limit: PAGE, cursor: next ?? undefined },
        });
        next = data.next_cursor;
        setCursor(next);
        setOlder((older) => [...older, ...data.entries]);
      } while (isAll && next !== null && !isStopped.current);
    } catch (error) {
      setError(error);
    }
    setLoading(false);
  }

  const total = customer.total_entries;
  return (
    <Section
      title="Entries"
      aside={
        <span class="muted" role="status">
          {number(rows.length)} of {number(total)}
        </span>
      }
    >
      <LongTable
        label="Entries, newest first"
        columns={COLUMNS}
        rows={rows}
        total={total}
        keyOf={({ sequence_number }) => sequence_number}
      />
      {error !== undefined && <Problem error={error} />}
      {isLoading
        ? (
          <>
            <Progress done={rows.length} total={total}>
              {number(rows.length)} of {number(total)}
            </Progress>
            <button type="button" onClick={() => isStopped.current = true}>Stop</button>
          </>
        )
        : cursor !== null && (
          <p class="buttons">
            <button type="button" onClick={() => load(false)}>Show older</button>
            <button type="button" onClick={() => load(true)}>Show all</button>
          </p>
        )}
    </Section>
  );
}
