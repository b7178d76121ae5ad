/**
 * The languages of the page, and which of them a reader sees.
 * @module
 */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { formatClock, formatDay, formatNumber, formatPaise, formatTime } from "../common/format.ts";
import { shared } from "../common/storage.ts";
import type { Messages } from "./messages/en.ts";

/** Each visitor loads the words of one language only. */
const LOADERS = {
  en: () => import("./messages/en.ts").then(({ en }) => en),
  hi: () => import("./messages/hi.ts").then(({ hi }) => hi),
} satisfies Record<string, () => Promise<Messages>>;

/** A language that the page speaks. */
export type Language = keyof typeof LOADERS;

/** Each language in its own words. */
export const LANGUAGES: readonly (readonly [Language, string])[] = [
  ["en", "English"],
  ["hi", "हिन्दी"],
];

const CHOSEN = "language";

/** Returns the language of the address, else that of the last choice, else the browser's. */
export function preferredLanguage(): Language {
  const wishes = [
    new URLSearchParams(location.search).get("lang"),
    shared.read<string>(CHOSEN),
    ...navigator.languages,
  ];
  const known = wishes.map((wish) => String(wish).split("-")[0] ?? "").find(isLanguage);
  return known ?? "en";
}

/** Keeps a choice in mind, also in the address if that names another language. */
export function rememberLanguage(language: Language): void {
  shared.write(CHOSEN, language);
  const url = new URL(location.href);
  if (!url.searchParams.has("lang")) return;
  url.searchParams.set("lang", language);
  history.replaceState(null, "", url);
}

/** What is said in a language, and how it writes numbers. */
export interface Speech {
  readonly language: Language;
  readonly messages: Messages;
  number(value: number): string;
  /** Writes an amount in rupees, with paise only if there are any. */
  rupees(value: number): string;
  /** Writes the day and the time of an ISO 8601 time. */
  time(iso: string): string;
  /** Writes the day of an ISO 8601 time. */
  day(iso: string): string;
  /** Writes the time of day. */
  clock(time: Date): string;
  /** Writes a number of credits with the word for them. */
  credits(count: number): string;
}

/** Learns to speak a language. */
export async function loadSpeech(language: Language): Promise<Speech> {
  const messages = await LOADERS[language]();
  const number = (value: number) => formatNumber(value, language);
  return {
    language,
    messages,
    number,
    rupees: (value) => formatPaise(Math.round(value * 100), language),
    time: (iso) => formatTime(iso, language),
    day: (iso) => formatDay(iso, language),
    clock: (time) => formatClock(time, language),
    credits: (count) => messages.credits(count, number(count)),
  };
}

/** The language of the page, for all its parts. */
export const Speaking = createContext<Speech | undefined>(undefined);

/** Returns how the page speaks. */
export function useSpeech(): Speech {
  const speech = useContext(Speaking);
  if (!speech) throw new Error("Nothing is said outside of Speaking.");
  return speech;
}

function isLanguage(text: string): text is Language {
  return Object.hasOwn(LOADERS, text);
}
