/**
 * A picture of a balance over time. A balance is a step: it stays as it is until an entry changes it.
 * @module
 */

/** A balance from a moment on. */
export interface BalancePoint {
  /** ISO 8601. */
  readonly at: string;
  readonly credits: number;
}

interface BalanceChartProps {
  /** In the order of time. */
  readonly points: readonly BalancePoint[];
  /** What the picture shows, and then what can be seen in it, for those who cannot see it. */
  readonly title: string;
  readonly description: string;
}

const WIDTH = 320;
const HEIGHT = 96;
/** Room for the line's own width, and for the dot at its end. */
const MARGIN = 4;
const DOT_RADIUS = 3.5;

/** Draws balances over time as steps; nothing where there is only one. */
export function BalanceChart({ points, title, description }: BalanceChartProps) {
  const [first] = points;
  const last = points.at(-1);
  if (!first || !last || points.length < 2) return null;
  const start = Date.parse(first.at);
  const duration = Math.max(1, Date.parse(last.at) - start);
  const most = Math.max(1, ...points.map(({ credits }) => credits));
  const x = (at: string) =>
    round(MARGIN + (Date.parse(at) - start) / duration * (WIDTH - 2 * MARGIN));
  const y = (credits: number) => round(HEIGHT - MARGIN - credits / most * (HEIGHT - 2 * MARGIN));
  const line = points.slice(1).map(({ at, credits }) => `H${x(at)}V${y(credits)}`).join("");
  const path = `M${x(first.at)} ${y(first.credits)}${line}`;
  return (
    <svg class="balance-chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img">
      <title>{title}</title>
      <desc>{description}</desc>
      <path class="balance-area" d={`${path}V${HEIGHT - MARGIN}H${x(first.at)}Z`} />
      <path class="balance-line" d={path} />
      <circle class="balance-now" cx={x(last.at)} cy={y(last.credits)} r={DOT_RADIUS} />
    </svg>
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
