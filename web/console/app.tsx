/**
 * The console: nothing but a way to sign in, until an operator has.
 * @module
 */

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Configuration } from "../common/configuration.ts";
import { type Exclusion, openApi, sentenceOf } from "./api.ts";
import { ConsoleProvider } from "./context.ts";
import { Frame } from "./frame.tsx";
import type { Operator } from "./functions.ts";
import { IdleWatch } from "./idle.tsx";
import { IDLE_MS, openSession } from "./session.ts";
import { useFocusOnChange } from "./parts.tsx";
import { Gate, SecondFactor, SignIn } from "./sign-in.tsx";

type Stage =
  | { readonly name: "asking" }
  | { readonly name: "failed"; readonly error: unknown }
  | { readonly name: Exclusion; readonly note?: string }
  | { readonly name: "in"; readonly operator: Operator };

const IDLE_NOTE = "You were signed out, because nobody had touched the page for a while.";

/** The whole page. */
export function App({ configuration }: { configuration: Configuration }) {
  const [stage, setStage] = useState<Stage>({ name: "asking" });
  const session = useMemo(() => openSession(configuration), []);
  const api = useMemo(
    () =>
      openApi(configuration, session, (name) => {
        // What an operator may no longer see goes at once, whatever was under way.
        setStage((stage) => {
          // Several calls may have been under way.
          if (stage.name === name) return stage;
          const hasEnded = name === "signed-out" && stage.name === "in";
          return hasEnded ? { name, note: "The session has ended. Sign in again." } : { name };
        });
      }),
    [],
  );

  // Inside, finding somebody comes first.
  useFocusOnChange(stage.name === "asking" || stage.name === "in" ? "" : stage.name);

  async function enter() {
    setStage({ name: "asking" });
    try {
      const { data } = await api.call("get-operator");
      setStage({ name: "in", operator: data });
    } catch (error) {
      // An exclusion has been told already.
      setStage((stage) => stage.name === "asking" ? { name: "failed", error } : stage);
    }
  }
  /** For somebody who is there. A page that is only opened again may have been left for long. */
  function enterByHand() {
    session.touch();
    enter();
  }
  async function leave(note?: string) {
    setStage({ name: "signed-out", ...(note && { note }) });
    await session.signOut();
  }
  useEffect(() => {
    session.token().then((token) => {
      if (token === undefined) return setStage({ name: "signed-out" });
      // The page was closed, or the computer slept, with a session in it.
      if (session.idleMs() > IDLE_MS) return leave(IDLE_NOTE);
      enter();
    });
  }, []);

  const signOut = <button type="button" onClick={() => leave()}>Sign out</button>;
  switch (stage.name) {
    case "asking":
      return (
        <Gate title="Credits console">
          <p class="loading" role="status">Loading…</p>
        </Gate>
      );
    case "failed":
      return (
        <Gate title="Not reachable">
          <p class="notice bad" role="alert">{sentenceOf(stage.error)}</p>
          <p class="buttons">
            <button type="button" class="primary" onClick={enterByHand}>Try again</button>
            {signOut}
          </p>
        </Gate>
      );
    case "signed-out":
      return <SignIn session={session} note={stage.note} onDone={enterByHand} />;
    case "second-factor":
      return <SecondFactor session={session} onDone={enterByHand} onSignOut={() => leave()} />;
    case "not-an-operator":
      return (
        <Gate title="Not an operator">
          <p>This account is not an operator's, or it was disabled. Ask an owner.</p>
          <p class="buttons">{signOut}</p>
        </Gate>
      );
    case "in":
      return (
        <ConsoleProvider value={{ api, operator: stage.operator }}>
          <Frame seller={configuration.seller_name} session={session} onSignOut={() => leave()} />
          <IdleWatch session={session} onIdle={() => leave(IDLE_NOTE)} />
        </ConsoleProvider>
      );
  }
}
