/**
 * Signs out when nobody has touched the page for a while, after a warning that can be answered.
 * @module
 */

import { useEffect, useState } from "preact/hooks";
import { Dialog } from "./acts/dialog.tsx";
import { IDLE_MS, type Session } from "./session.ts";

/** How long before the end the warning comes. */
const WARNING_MS = 60_000;
const EVENTS = ["pointerdown", "keydown", "wheel"] as const;

/** Watches over the session. */
export function IdleWatch({ session, onIdle }: { session: Session; onIdle: () => void }) {
  const [leftMs, setLeftMs] = useState(IDLE_MS);
  const isWarning = leftMs <= WARNING_MS;
  useEffect(() => {
    // A computer that slept has not run this timer, so the clock is asked and nothing is counted.
    const timer = setInterval(() => {
      const left = IDLE_MS - session.idleMs();
      if (left <= 0) onIdle();
      else setLeftMs(left);
    }, 1_000);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    if (isWarning) return;
    const touch = () => session.touch();
    for (const name of EVENTS) addEventListener(name, touch, { passive: true });
    return () => {
      for (const name of EVENTS) removeEventListener(name, touch);
    };
  }, [isWarning]);
  if (!isWarning) return null;
  const stay = () => {
    session.touch();
    setLeftMs(IDLE_MS);
  };
  return (
    <Dialog title="Are you still there?" onClose={stay}>
      <p>
        You will be signed out in {Math.ceil(leftMs / 1_000)}{" "}
        seconds, because nobody has touched this page for a while.
      </p>
      <div class="buttons">
        <button type="button" class="primary" onClick={stay}>Stay signed in</button>
        <button type="button" onClick={onIdle}>Sign out</button>
      </div>
    </Dialog>
  );
}
