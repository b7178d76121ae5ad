/**
 * What operators did.
 * @module
 */

import type { ActionTaken } from "./functions.ts";
import { Badge, CustomerLink, Foreign, Moment, number } from "./parts.tsx";

/** Shows actions, newest first, each with the state before and after. */
export function ActionList(
  { actions, isEverybodys = false }: {
    actions: readonly ActionTaken[];
    /** Whether the actions are of several customers, so that each says whose it is. */
    isEverybodys?: boolean;
  },
) {
  if (actions.length === 0) return <p class="muted">Nothing.</p>;
  return (
    <ol class="rows actions" aria-label="Actions, newest first">
      {actions.map((action) => (
        <li key={action.action_id}>
          <div>
            <strong>{action.action}</strong> by <Foreign text={action.operator} />{" "}
            {isEverybodys && action.user_id && (
              <>
                on <CustomerLink userId={action.user_id} />
                {" "}
              </>
            )}
            <Badge>{action.outcome.replaceAll("_", " ")}</Badge>{" "}
            <span class="muted">
              <Moment at={action.created_at} />
            </span>
            <Difference before={action.before} after={action.after} />
            <p class="reason">
              <Foreign text={action.reason} />
            </p>
            <details>
              <summary>
                Details<span class="visually-hidden">of action {action.action_id}</span>
              </summary>
              <dl class="facts">
                <Recorded name="Reference" value={action.reference_id} />
                <Recorded name="Payment" value={action.payment_id} />
                <Recorded name="Order" value={action.order_id} />
                <Recorded name="Asked for" value={action.request} />
                <Recorded name="Before" value={action.before} />
                <Recorded name="After" value={action.after} />
                <Recorded name="Answered" value={action.result} />
              </dl>
            </details>
          </div>
        </li>
      ))}
    </ol>
  );
}

const FIGURES = { credits: "balance", reserved_credits: "reserved", debt_credits: "debt" } as const;

/** What of the account's figures the action changed. */
function Difference({ before, after }: Pick<ActionTaken, "before" | "after">) {
  const changes = Object.entries(FIGURES).flatMap(([field, name]) => {
    const [from, to] = [before?.[field], after?.[field]];
    return typeof from === "number" && typeof to === "number" && from !== to
      ? [`${name} ${number(from)} → ${number(to)}`]
      : [];
  });
  return changes.length > 0 ? <p>{changes.join(", ")}</p> : null;
}

function Recorded(
  { name, value }: { name: string; value: string | Record<string, unknown> | null },
) {
  if (value === null) return null;
  const lines = typeof value === "string"
    ? [value]
    : Object.entries(value).map(([field, content]) =>
      `${field}: ${typeof content === "string" ? content : JSON.stringify(content)}`
    );
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {lines.map((line) => (
          <div key={line}>
            <Foreign text={line} isCode />
          </div>
        ))}
      </dd>
    </div>
  );
}
