/**
 * Who did what.
 * @module
 */

import { useEffect, useState } from "preact/hooks";
import { ActionList } from "./action-list.tsx";
import { useConsole, useTurns } from "./context.ts";
import type { ActionTaken } from "./functions.ts";
import { Field, Problem, Section, ViewHeading } from "./parts.tsx";
import { actionsHref, isAt } from "./route.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Shows what operators did, newest first: all of it, of one operator, or to one customer. */
export function ActionsView({ query }: { query: URLSearchParams }) {
  const filter = { operator: query.get("operator") ?? "", user_id: query.get("user_id") ?? "" };
  return (
    <>
      <ViewHeading title="Who did what" />
      <Filter key={`filter ${query}`} {...filter} />
      <Actions key={`${query}`} {...filter} />
    </>
  );
}

interface ActionFilter {
  readonly operator: string;
  readonly user_id: string;
}

function Filter(applied: ActionFilter) {
  const { api } = useConsole();
  const [operator, setOperator] = useState(applied.operator);
  const [customer, setCustomer] = useState(applied.user_id);
  const [error, setError] = useState<unknown>();
  const nextTurn = useTurns();

  async function apply() {
    const signal = nextTurn();
    setError(undefined);
    try {
      const user_id = await customerId(customer.trim(), signal);
      // Nobody is taken away from another view.
      if (signal.aborted || !isAt("actions")) return;
      location.hash = actionsHref({ operator: operator.trim(), user_id });
    } catch (error) {
      if (!signal.aborted) setError(error);
    }
  }

  /** A customer may be named by anything. */
  async function customerId(name: string, signal: AbortSignal): Promise<string> {
    if (name === "" || UUID.test(name)) return name;
    const body = { query: name };
    const { data: { customers } } = await api.call("find-customer", { body, signal });
    const [one, another] = customers;
    if (!one) throw new Error("No customer was found");
    if (another) throw new Error("More than one customer was found; give the id of one account");
    return one.user_id;
  }

  return (
    <form
      class="filter"
      role="search"
      aria-label="Filter"
      onSubmit={(event) => {
        event.preventDefault();
        apply();
      }}
    >
      <Field label="Operator">
        <input
          value={operator}
          placeholder="Everybody"
          onInput={(event) => setOperator(event.currentTarget.value)}
        />
      </Field>
      <Field label="Customer">
        <input
          value={customer}
          placeholder="Everybody"
          onInput={(event) => setCustomer(event.currentTarget.value)}
        />
      </Field>
      <button type="submit">Filter</button>
      {error !== undefined && <Problem error={error} />}
    </form>
  );
}

function Actions({ operator, user_id }: ActionFilter) {
  const { api } = useConsole();
  const [actions, setActions] = useState<readonly ActionTaken[]>();
  const [cursor, setCursor] = useState<string | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [error, setError] = useState<unknown>();

  async function load(after: string | null) {
    setLoading(true);
    setError(undefined);
    try {
      const { data } = await api.call("list-actions-taken", {
        query: {
          operator: operator || undefined,
          user_id: user_id || undefined,
          cursor: after ?? undefined,
        },
      });
      setActions((actions) => [...actions ?? [], ...data.actions]);
      setCursor(data.next_cursor);
    } catch (error) {
      setError(error);
    }
    setLoading(false);
  }
  useEffect(() => {
    load(null);
  }, []);

  return (
    <Section title="Actions">
      {actions && <ActionList actions={actions} isEverybodys />}
      {error !== undefined && <Problem error={error} retry={() => load(cursor)} />}
      {isLoading && <p class="loading" role="status">Loading…</p>}
      {cursor !== null && !isLoading && (
        <p class="buttons">
          <button type="button" onClick={() => load(cursor)}>Show older</button>
        </p>
      )}
    </Section>
  );
}
