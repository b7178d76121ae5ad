/**
 * Changes the password of whoever is signed in, which somebody else has seen at first.
 * @module
 */

import { useState } from "preact/hooks";
import { Dialog } from "./acts/dialog.tsx";
import { sentenceOf } from "./api.ts";
import { Field } from "./parts.tsx";
import type { Session } from "./session.ts";

const MIN_LENGTH = 12;

/** Asks for a new password. */
export function PasswordDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const [password, setPassword] = useState("");
  const [stage, setStage] = useState<"asking" | "sending" | "done">("asking");
  const [error, setError] = useState<unknown>();

  async function change() {
    setStage("sending");
    setError(undefined);
    try {
      await session.changePassword(password);
      setStage("done");
    } catch (error) {
      setError(error);
      setStage("asking");
    }
  }

  return (
    <Dialog title="Change your password" isBusy={stage === "sending"} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (stage === "asking") change();
        }}
      >
        {stage !== "done" && (
          <Field label="New password" hint={`At least ${MIN_LENGTH} characters.`}>
            <input
              type="password"
              autocomplete="new-password"
              required
              minLength={MIN_LENGTH}
              value={password}
              onInput={(event) =>
                setPassword(event.currentTarget.value)}
            />
          </Field>
        )}
        <div aria-live="polite">
          {error !== undefined && <p class="notice bad">{sentenceOf(error)}</p>}
          {stage === "done" && <p class="notice">The password was changed.</p>}
        </div>
        <div class="buttons">
          {stage !== "done" && (
            <button
              type="submit"
              class="primary"
              disabled={stage === "sending" || password.length < MIN_LENGTH}
            >
              Change
            </button>
          )}
          <button type="button" disabled={stage === "sending"} onClick={onClose}>
            {stage === "done" ? "Close" : "Cancel"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
