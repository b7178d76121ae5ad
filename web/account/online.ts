/**
 * Whether the browser has a network.
 * @module
 */

import { useEffect, useState } from "preact/hooks";

/** Returns whether the browser is online, and follows it. */
export function useIsOnline(): boolean {
  const [isOnline, setIsOnline] = useState(navigator.onLine);
  useEffect(() => {
    const follow = () => setIsOnline(navigator.onLine);
    addEventListener("online", follow);
    addEventListener("offline", follow);
    return () => {
      removeEventListener("online", follow);
      removeEventListener("offline", follow);
    };
  }, []);
  return isOnline;
}
