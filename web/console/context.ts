/**
 * What every view needs: the functions, and who is signed in.
 * @module
 */

import { createContext, type RefObject } from "preact";
import { useCallback, useContext, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Api } from "./api.ts";
import type { Operator } from "./functions.ts";

/** What every view needs. */
export interface Console {
  readonly api: Api;
  readonly operator: Operator;
}

const Context = createContext<Console | undefined>(undefined);

/** Gives the views what they need. */
export const ConsoleProvider = Context.Provider;

/** Returns what every view needs. */
export function useConsole(): Console {
  const console = useContext(Context);
  if (!console) throw new Error("There is no console around this view");
  return console;
}

/** Whether the signed-in operator may do what only owners may. */
export function useIsOwner(): boolean {
  return useConsole().operator.role === "owner";
}

/** Data that is loaded. While it is loaded again, and if that fails, what was there stays. */
export interface Loaded<Data> {
  readonly data: Data | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  reload(): void;
}

/** Loads data, and again whenever one of `inputs` changes. Only the newest answer counts. */
export function useLoaded<Data>(
  load: (signal: AbortSignal) => Promise<Data>,
  inputs: readonly unknown[],
): Loaded<Data> {
  const [state, setState] = useState<Omit<Loaded<Data>, "reload">>({
    data: undefined,
    error: undefined,
    isLoading: true,
  });
  const [turn, setTurn] = useState(0);
  /** Another object whenever something else is to be loaded. */
  const sought = useMemo(() => ({}), inputs);
  /** What the data that is there was loaded for. */
  const found = useRef<object>(undefined);
  useEffect(() => {
    const ended = new AbortController();
    setState(({ data }) => ({ data, error: undefined, isLoading: true }));
    load(ended.signal).then(
      (data) => {
        if (ended.signal.aborted) return;
        found.current = sought;
        setState({ data, error: undefined, isLoading: false });
      },
      (error) => {
        if (ended.signal.aborted) return;
        // Something may have been begun with what is there, and must not be ended by a failure.
        const isSame = found.current === sought;
        setState(({ data }) => ({ data: isSame ? data : undefined, error, isLoading: false }));
      },
    );
    return () => ended.abort();
  }, [sought, turn]);
  return { ...state, reload: useCallback(() => setTurn((turn) => turn + 1), []) };
}

/**
 * For what is begun by hand. Returns a function that begins anew, and whose signal ends with the next
 * beginning or with the view, so that a late answer changes nothing.
 */
export function useTurns(): () => AbortSignal {
  const turn = useRef<AbortController>(undefined);
  useEffect(() => () => turn.current?.abort(), []);
  return useCallback(() => {
    turn.current?.abort();
    turn.current = new AbortController();
    return turn.current.signal;
  }, []);
}

/** Whether a loop is to end: because somebody wants it, and in any case with the view. */
export function useStop(): RefObject<boolean> {
  const isStopped = useRef(false);
  useEffect(() => () => {
    isStopped.current = true;
  }, []);
  return isStopped;
}
