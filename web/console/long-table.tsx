/**
 * A table of any number of rows. Only those near the screen are in the document; the others are room.
 * @module
 */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Scroll } from "./parts.tsx";

/** A column. */
export interface Column<Row> {
  readonly name: string;
  readonly isNumber?: boolean;
  readonly cell: (row: Row) => ComponentChildren;
}

interface LongTableProps<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** All rows that there are, of which `rows` may be the first. */
  readonly total?: number;
  readonly keyOf: (row: Row) => string | number;
}

const ROWS_PER_PART = 100;
/** The room that a row takes until it has been seen. */
const ROW_HEIGHT = 36;
/** Rows are in the document before they are on the screen. */
const MARGIN = "1500px 0px";

/** Shows rows in parts of a hundred. */
export function LongTable<Row>({ label, columns, rows, total, keyOf }: LongTableProps<Row>) {
  const starts = Array.from(
    { length: Math.ceil(rows.length / ROWS_PER_PART) },
    (_, part) => part * ROWS_PER_PART,
  );
  return (
    <Scroll label={label}>
      <table class="dense" aria-rowcount={(total ?? rows.length) + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map(({ name, isNumber }) => (
              <th key={name} scope="col" class={isNumber ? "number" : ""}>{name}</th>
            ))}
          </tr>
        </thead>
        {starts.map((start) => (
          <Part
            isAlone={starts.length === 1}
            key={start}
            start={start}
            rows={rows.slice(start, start + ROWS_PER_PART)}
            columns={columns}
            keyOf={keyOf}
          />
        ))}
      </table>
    </Scroll>
  );
}

function Part<Row>({ isAlone, start, rows, columns, keyOf }: {
  /** Whether these are all the rows, which are few enough to stay. */
  isAlone: boolean;
  start: number;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  keyOf: (row: Row) => string | number;
}) {
  const body = useRef<HTMLTableSectionElement>(null);
  const height = useRef(rows.length * ROW_HEIGHT);
  const [isNear, setNear] = useState(start === 0);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => {
      if (!entry) return;
      if (!entry.isIntersecting) height.current = entry.boundingClientRect.height;
      setNear(entry.isIntersecting);
    }, { rootMargin: MARGIN });
    observer.observe(body.current as Element);
    return () => observer.disconnect();
  }, []);
  return (
    <tbody ref={body}>
      {isNear || isAlone
        ? rows.map((row, place) => (
          <tr key={keyOf(row)} aria-rowindex={start + place + 2}>
            {columns.map(({ name, isNumber, cell }) => (
              <td key={name} class={isNumber ? "number" : ""}>{cell(row)}</td>
            ))}
          </tr>
        ))
        : (
          <tr class="room">
            <td colSpan={columns.length} style={{ height: `${height.current}px` }} />
          </tr>
        )}
    </tbody>
  );
}
