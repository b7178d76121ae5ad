/**
 * What a page keeps in the browser, as JSON. Browsers can refuse to keep anything, and then a page
 * forgets.
 * @module
 */

/** Keeps values by name. */
export interface Store {
  read<Value>(name: string): Value | undefined;
  write(name: string, value: unknown): void;
  forget(name: string): void;
}

/** Lasts as long as the tab, also across other sites and back. */
export const session: Store = store(() => sessionStorage);

/** Lasts until it is forgotten, and is shared by all tabs. */
export const shared: Store = store(() => localStorage);

/** Even to name the storage throws where it is refused. */
function store(storage: () => Storage): Store {
  const attempt = <Result>(act: () => Result): Result | undefined => {
    try {
      return act();
    } catch {
      return undefined;
    }
  };
  return {
    read: (name) => attempt(() => JSON.parse(storage().getItem(name) ?? "null")) ?? undefined,
    write: (name, value) => attempt(() => storage().setItem(name, JSON.stringify(value))),
    forget: (name) => attempt(() => storage().removeItem(name)),
  };
}
