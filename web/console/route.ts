/**
 * The views of the console, each at an address of its own behind the "#", which no server sees.
 * @module
 */

import { useLayoutEffect, useState } from "preact/hooks";

/** The views that the navigation shows. */
export const VIEWS = ["find", "attention", "sales", "books", "actions"] as const;

/** Where the console is. */
export type Route =
  | { readonly view: typeof VIEWS[number]; readonly query: URLSearchParams }
  | {
    readonly view: "customer";
    readonly userId: string;
    /** The order that was searched for. */
    readonly orderId: string | undefined;
  };

const ID = /^[0-9a-f-]{36}$/i;

/** Parses what follows the "#". Whatever it is, there is a view. */
function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view, id] = path.split("/");
  const parameters = new URLSearchParams(query);
  if (view === "customer" && id && ID.test(id)) {
    const orderId = parameters.get("order") ?? "";
    return { view, userId: id, orderId: ID.test(orderId) ? orderId : undefined };
  }
  return { view: VIEWS.find((name) => name === view) ?? "find", query: parameters };
}

/** Returns whether the address is that of a view. What is on the screen follows it a moment later. */
export function isAt(view: Route["view"]): boolean {
  return parseRoute(location.hash).view === view;
}

/** The address of a customer, and of one order of theirs. */
export function customerHref(userId: string, orderId?: string | null): string {
  return `#/customer/${encodeURIComponent(userId)}${orderId ? `?order=${orderId}` : ""}`;
}

/** The address of what operators did. */
export function actionsHref(filter: { readonly operator?: string; readonly user_id?: string }) {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  return `#/actions${query.size ? `?${query}` : ""}`;
}

/** Follows the address. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  // A plain effect would wait for the next frame, and miss an address that changed before it.
  useLayoutEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return parseRoute(hash);
}
