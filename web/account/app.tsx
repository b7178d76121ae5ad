/**
 * The whole page: which of its faces is shown, and what they have in common.
 * @module
 */

import { useEffect, useRef, useState } from "preact/hooks";
import { isRefusal, Unreachable } from "../common/backend.ts";
import type { Configuration } from "../common/configuration.ts";
import { type Account, loadAccount, loadPackages, type Package } from "./account.ts";
import { AccountView } from "./account-view.tsx";
import { ChatLink } from "./chat-link.tsx";
import {
  type Language,
  LANGUAGES,
  loadSpeech,
  rememberLanguage,
  Speaking,
  type Speech,
  useSpeech,
} from "./language.ts";
import { hasEnded, type Opening, type Proof } from "./proof.ts";

/** What the page has come to know. */
export type Content =
  | { readonly state: "loading" | "missing" | "expired" | "offline" | "limited" | "failed" }
  | Loaded;

interface Loaded {
  readonly state: "ready";
  readonly proof: Proof;
  readonly account: Account;
  /** Undefined if they could not be loaded. */
  readonly packages: readonly Package[] | undefined;
}

interface AppProps {
  readonly configuration: Configuration;
  readonly opening: Opening;
  /** How the page speaks at first. */
  readonly speech: Speech;
  /** What it shows at first, once that has been loaded. */
  readonly content: Promise<Content>;
}

/** The page. */
export function App({ configuration, opening, ...beginning }: AppProps) {
  const [speech, setSpeech] = useState(beginning.speech);
  const [content, setContent] = useState<Content>({ state: "loading" });
  const { language, messages } = speech;

  const load = async () => {
    setContent({ state: "loading" });
    const loaded = await loadContent(configuration, opening.proof);
    // What another try has found meanwhile stays.
    setContent((now) => now.state === "loading" ? loaded : now);
  };
  const change = (part: Partial<Loaded>) =>
    setContent((now) => now.state === "ready" ? { ...now, ...part } : now);
  const reload = async () => change({ packages: await loadPackages(configuration) });
  useEffect(() => void beginning.content.then(setContent), []);
  useEffect(() => {
    if (content.state !== "offline") return;
    addEventListener("online", load);
    return () => removeEventListener("online", load);
  }, [content.state]);
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = `${messages.title} · ${configuration.seller_name}`;
  }, [language]);

  const choose = async (chosen: Language) => {
    const learned = await loadSpeech(chosen).catch(() => undefined);
    if (!learned) return;
    setSpeech(learned);
    rememberLanguage(chosen);
  };
  return (
    <Speaking.Provider value={speech}>
      <header class="top">
        <p class="seller">{configuration.seller_name}</p>
        <LanguagePicker language={language} choose={choose} />
      </header>
      <main>
        {content.state === "ready"
          ? (
            <AccountView
              configuration={configuration}
              proof={content.proof}
              returned={opening.returned}
              account={content.account}
              packages={content.packages}
              update={(account) => change({ account })}
              reload={reload}
              expire={() => setContent({ state: "expired" })}
            />
          )
          : content.state === "loading"
          ? <Loading />
          : <Screen state={content.state} {...{ configuration, opening, load }} />}
      </main>
    </Speaking.Provider>
  );
}

/** Loads what the page shows. Without the packages, the account is still worth showing. */
export async function loadContent(
  configuration: Configuration,
  proof: Proof | undefined,
): Promise<Content> {
  if (proof === undefined) return { state: "missing" };
  try {
    const [account, packages] = await Promise.all([
      loadAccount(configuration, proof),
      loadPackages(configuration).catch(() => undefined),
    ]);
    return { state: "ready", proof, account, packages };
  } catch (error) {
    if (hasEnded(error)) return { state: "expired" };
    // It was erased: no credits of it are safe, and the chat begins a new account.
    if (isRefusal(error, ["USER_NOT_FOUND"])) return { state: "missing" };
    if (isRefusal(error, ["RATE_LIMITED"])) return { state: "limited" };
    const isOffline = error instanceof Unreachable && !navigator.onLine;
    return { state: isOffline ? "offline" : "failed" };
  }
}

interface LanguagePickerProps {
  readonly language: Language;
  readonly choose: (language: Language) => void;
}

function LanguagePicker({ language, choose }: LanguagePickerProps) {
  const { messages } = useSpeech();
  return (
    <div class="languages" role="group" aria-label={messages.language}>
      {LANGUAGES.map(([code, name]) => (
        <button
          key={code}
          type="button"
          lang={code}
          aria-pressed={code === language}
          onClick={() => choose(code)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

/** Holds the place of the balance. Nothing stands below it, so nothing moves when the rest arrives. */
function Loading() {
  const { messages } = useSpeech();
  return (
    <section class="hero" aria-busy="true">
      <div class="corner">
        <h1>{messages.title}</h1>
      </div>
      <p class="visually-hidden" role="status">{messages.loading}</p>
    </section>
  );
}

interface ScreenProps {
  readonly state: Exclude<Content["state"], "loading" | "ready">;
  readonly configuration: Configuration;
  readonly opening: Opening;
  readonly load: () => void;
}

/** What is shown in place of an account. */
function Screen({ state, configuration, opening, load }: ScreenProps) {
  const { messages } = useSpeech();
  const isAboutLink = state === "missing" || state === "expired";
  const { title, text } = isAboutLink ? messages.link[state] : messages.trouble[state];
  const heading = useRef<HTMLHeadingElement>(null);
  // It may have taken the place of what had the focus.
  useEffect(() => heading.current?.focus(), [state]);
  return (
    <section class="screen">
      <h1 tabIndex={-1} ref={heading}>{title}</h1>
      <p>{text}</p>
      {isAboutLink && opening.returned && <p class="notice">{messages.link.back}</p>}
      {isAboutLink
        ? <ChatLink configuration={configuration}>{messages.openChat}</ChatLink>
        : <button type="button" class="primary" onClick={load}>{messages.retry}</button>}
    </section>
  );
}
