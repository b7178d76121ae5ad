/**
 * What is around every view: the search, the navigation, who is signed in.
 * @module
 */

import { useEffect, useRef, useState } from "preact/hooks";
import { ActionsView } from "./actions.tsx";
import { AttentionView } from "./attention.tsx";
import { BooksView } from "./books.tsx";
import { type Loaded, useConsole, useLoaded } from "./context.ts";
import { CustomerView } from "./customer.tsx";
import { FindView } from "./find.tsx";
import type { Functions } from "./functions.ts";
import { number, useFocusOnChange } from "./parts.tsx";
import { PasswordDialog } from "./password.tsx";
import { customerHref, isAt, type Route, useRoute, VIEWS } from "./route.ts";
import { SalesView } from "./sales.tsx";
import type { Session } from "./session.ts";

const NAMES = {
  find: "Find",
  attention: "Attention",
  sales: "Sales",
  books: "Books",
  actions: "Who did what",
} as const;

/** The console of whoever is signed in. */
export function Frame({ seller, session, onSignOut }: {
  seller: string;
  session: Session;
  onSignOut: () => void;
}) {
  const [isChangingPassword, setChangingPassword] = useState(false);
  const { api, operator } = useConsole();
  const route = useRoute();
  useFocusOnChange(route.view === "customer" ? route.userId : `${route.view} ${route.query}`);
  const [query, setQuery] = useState<Query>();
  const attention = useLoaded(
    async (signal) => {
      const { data } = await api.call("list-attention", { signal });
      return { ...data, loaded_at: new Date().toISOString() };
    },
    [],
  );
  const search = useLoaded<Found | undefined>(
    async (signal) => {
      if (!query) return undefined;
      const body = { query: query.text };
      const { data } = await api.call("find-customer", { body, signal });
      const [only] = data.customers;
      const isOnly = data.customers.length === 1 && data.unclaimed_orders.length === 0;
      // In place of the list that would have this one row; nobody is taken away from another view, or
      // from what was begun here.
      const isFree = isAt("find") && !document.querySelector("dialog");
      if (only && isOnly && !signal.aborted && isFree) {
        location.replace(customerHref(only.user_id, only.found_order_id));
      }
      return { ...data, query };
    },
    [query],
  );

  function find(text: string) {
    // The same text once more is another search.
    setQuery({ text });
    location.hash = "#/find";
  }

  return (
    <>
      <a class="skip" href="#content" onClick={skip}>To the content</a>
      <header class="top">
        <p class="brand">{seller}</p>
        <SearchField find={find} />
        <p class="who">
          <bdi>{operator.name}</bdi> <span class="muted">({operator.role})</span>
          <button type="button" onClick={() => setChangingPassword(true)}>Password</button>
          <button type="button" onClick={onSignOut}>Sign out</button>
        </p>
        <nav aria-label="Views">
          <ul>
            {VIEWS.map((view) => (
              <li key={view}>
                <a href={`#/${view}`} aria-current={route.view === view ? "page" : undefined}>
                  {NAMES[view]}
                  {view === "attention" && attention.data && attention.data.items.length > 0 && (
                    <span class="count">{number(attention.data.items.length)}</span>
                  )}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        {operator.second_factor === "off" && (
          <p class="banner">
            No second factor is asked for here: the Auth of an embedded stack has none. A hosted
            project asks for one.
          </p>
        )}
      </header>
      <main id="content" tabIndex={-1}>
        <View route={route} search={query && ofQuery(search, query)} attention={attention} />
      </main>
      {isChangingPassword && (
        <PasswordDialog
          session={session}
          onClose={() => setChangingPassword(false)}
        />
      )}
    </>
  );
}

interface Query {
  readonly text: string;
}

/** What was found, and by which search. */
type Found = Functions["find-customer"] & { readonly query: Query };

/** What an earlier search found is no answer to this one, and nothing must be begun with it. */
function ofQuery(search: Loaded<Found | undefined>, query: Query): Loaded<Found> {
  return { ...search, data: search.data?.query === query ? search.data : undefined };
}

/** The address is a view's, so a link to a part of the page must not become one. */
function skip(event: Event) {
  event.preventDefault();
  document.querySelector<HTMLElement>("#content")?.focus();
}

type ViewProps =
  & { readonly route: Route }
  & Parameters<typeof FindView>[0]
  & { readonly attention: Parameters<typeof AttentionView>[0]["loaded"] };

function View({ route, search, attention }: ViewProps) {
  switch (route.view) {
    case "find":
      return <FindView key={search ? "found" : "empty"} search={search} />;
    case "customer":
      return <CustomerView key={route.userId} userId={route.userId} orderId={route.orderId} />;
    case "attention":
      return <AttentionView loaded={attention} />;
    case "sales":
      return <SalesView />;
    case "books":
      return <BooksView />;
    case "actions":
      return <ActionsView query={route.query} />;
  }
}

function SearchField({ find }: { find: (text: string) => void }) {
  const [text, setText] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    // Finding somebody is what the console is opened for.
    if (parseFloat(getComputedStyle(document.body).width) > 600) input.current?.focus();
  }, []);
  return (
    <form
      class="search"
      role="search"
      aria-label="Customers"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) find(text.trim());
      }}
    >
      <input
        ref={input}
        type="search"
        aria-label="Find a customer by anything"
        placeholder="Number, id, payment, reference…"
        maxLength={300}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit">Find</button>
    </form>
  );
}
