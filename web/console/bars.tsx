/**
 * Pictures of numbers as bars.
 * @module
 */

interface BarsProps {
  /** What the picture shows, and then what can be seen in it, for those who cannot see it. */
  readonly title: string;
  readonly description: string;
  readonly bars: readonly { readonly label: string; readonly value: number }[];
  readonly format: (value: number) => string;
}

const HEIGHT = 100;
/** The width of a bar with the room beside it. */
const STEP = 10;

/** Draws one bar for each label, from left to right. */
export function Bars({ title, description, bars, format }: BarsProps) {
  const most = Math.max(0, ...bars.map(({ value }) => value));
  const height = (value: number) =>
    most === 0 ? 0 : Math.round(1000 * HEIGHT * value / most) / 1000;
  return (
    <figure class="bars">
      <figcaption aria-hidden="true">
        <span>at most {format(most)}</span>
      </figcaption>
      <svg
        role="img"
        viewBox={`0 0 ${Math.max(1, bars.length) * STEP} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        <title>{title}</title>
        <desc>{description}</desc>
        {bars.map(({ label, value }, place) => (
          <rect
            key={label}
            x={place * STEP + 1}
            y={HEIGHT - height(value)}
            width={STEP - 2}
            height={height(value)}
          >
            <title>{`${label}: ${format(value)}`}</title>
          </rect>
        ))}
      </svg>
      <p class="axis" aria-hidden="true">
        <span>{bars[0]?.label}</span>
        <span>{bars.at(-1)?.label}</span>
      </p>
    </figure>
  );
}

/** A bar within a table, whose number is beside it. */
export function Bar({ value, most }: { value: number; most: number }) {
  return (
    <svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect width={100 * value / most} height="10" />
    </svg>
  );
}
