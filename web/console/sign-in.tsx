/**
 * Signing in: the password, and then the second factor.
 * @module
 */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { sentenceOf } from "./api.ts";
import { useTurns } from "./context.ts";
import { Field, ViewHeading } from "./parts.tsx";
import type { Enrollment, Session } from "./session.ts";

interface SignInProps {
  readonly session: Session;
  /** Why nobody is signed in any more. */
  readonly note?: string | undefined;
  readonly onDone: () => void;
}

/** Asks for the e-mail address and the password. */
export function SignIn({ session, note, onDone }: SignInProps) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  return (
    <Gate title="Sign in">
      {note && <p class="notice warn" role="status">{note}</p>}
      <ProofForm
        button="Sign in"
        isComplete={email !== "" && password !== ""}
        prove={() => session.signIn(email.trim(), password)}
        onDone={onDone}
      >
        <Field label="E-mail address">
          <input
            type="email"
            autocomplete="username"
            required
            value={email}
            onInput={(event) => setEmail(event.currentTarget.value)}
          />
        </Field>
        <Field label="Password">
          <input
            type="password"
            autocomplete="current-password"
            required
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </Field>
      </ProofForm>
    </Gate>
  );
}

type Factor =
  | { readonly id: string; readonly enrollment?: undefined }
  | { readonly id: string; readonly enrollment: Enrollment };

interface SecondFactorProps extends SignInProps {
  readonly onSignOut: () => void;
}

/** Asks for a code of the operator's app, which is set up first where there is none. */
export function SecondFactor({ session, onDone, onSignOut }: SecondFactorProps) {
  const [factor, setFactor] = useState<Factor>();
  const [code, setCode] = useState("");
  const [isProving, setProving] = useState(false);
  const [error, setError] = useState<unknown>();
  const nextTurn = useTurns();
  useEffect(() => {
    findFactor(session, nextTurn()).then(setFactor, setError);
  }, []);

  async function prove(factorId: string) {
    setProving(true);
    try {
      await session.verify(factorId, code.replaceAll(" ", ""));
    } finally {
      setProving(false);
    }
  }

  return (
    <Gate title="Second factor">
      {error !== undefined && <p class="notice bad" role="alert">{sentenceOf(error)}</p>}
      {!factor && error === undefined && <p class="loading" role="status">Loading…</p>}
      {factor?.enrollment && <Setup enrollment={factor.enrollment} />}
      {factor && (
        <ProofForm
          button={factor.enrollment ? "Set up" : "Go on"}
          isComplete={/^\d{6}$/.test(code.replaceAll(" ", ""))}
          prove={() => prove(factor.id)}
          onDone={onDone}
        >
          <Field label="Code from the app" hint="Six digits.">
            <input
              inputMode="numeric"
              autocomplete="one-time-code"
              required
              value={code}
              onInput={(event) => setCode(event.currentTarget.value)}
            />
          </Field>
        </ProofForm>
      )}
      <p>
        {/* Auth may yet accept a code that is on its way. */}
        <button type="button" disabled={isProving} onClick={onSignOut}>Sign out</button>
      </p>
    </Gate>
  );
}

async function findFactor(session: Session, signal: AbortSignal): Promise<Factor> {
  const id = await session.verifiedFactor();
  if (id !== undefined) return { id };
  // Somebody else may have signed in by now, and begun to set up an app, which this would undo.
  signal.throwIfAborted();
  const enrollment = await session.enroll();
  return { id: enrollment.factorId, enrollment };
}

function Setup({ enrollment: { qrCode, secret } }: { enrollment: Enrollment }) {
  return (
    <>
      <p>
        Operators sign in with a second factor. Scan this code with an authenticator app, or type
        the secret into it. Then enter the code that the app shows.
      </p>
      <img class="qr" src={qrCode} width="200" height="200" alt="The secret, as a QR code" />
      <p>
        The secret: <code class="secret">{secret}</code>
      </p>
    </>
  );
}

function ProofForm({ button, isComplete, prove, onDone, children }: {
  button: string;
  isComplete: boolean;
  prove: () => Promise<void>;
  onDone: () => void;
  children: ComponentChildren;
}) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const nextTurn = useTurns();

  async function send() {
    const signal = nextTurn();
    setBusy(true);
    setError(undefined);
    try {
      await prove();
      // Nobody who has gone on to something else gets in.
      if (!signal.aborted) onDone();
    } catch (error) {
      setError(error);
      setBusy(false);
    }
  }

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!isBusy) send();
      }}
    >
      {children}
      {error !== undefined && <p class="notice bad" role="alert">{sentenceOf(error)}</p>}
      <button type="submit" class="primary" disabled={isBusy || !isComplete}>
        {isBusy ? "One moment…" : button}
      </button>
    </form>
  );
}

/** A page with nothing else on it. */
export function Gate({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <main class="gate">
      <p class="brand">Credits console</p>
      <ViewHeading title={title} />
      {children}
    </main>
  );
}
