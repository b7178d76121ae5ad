/**
 * The operator's console in a real browser, served under its own headers, against a whole backend.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Browser, BrowserContext, Page, Request, Route } from "playwright-core";
import type { OperatorRole } from "shared/contract/operation.ts";
import { signIn } from "../../local/screenshots/console-states.ts";
import { type Pages, servePages } from "../../local/stack/pages.ts";
import { type Backend, startBackend } from "./backend.ts";
import { openBrowser } from "./browser.ts";
import { newSecret } from "./signing.ts";

/** Who signs in. */
export interface Credentials {
  readonly name: string;
  readonly email: string;
  readonly password: string;
}

/** A console and everything behind it. */
export interface ConsoleHarness {
  readonly backend: Backend;
  readonly browser: Browser | undefined;
  /** The address of the console. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a backend, serves its console, and starts the browser. */
export async function startConsole(): Promise<ConsoleHarness> {
  const backend = await startBackend();
  const pages = await serveConsole(backend, backend.environment.SUPABASE_URL);
  Deno.env.set("CONSOLE_ORIGIN", new URL(pages.urls.console).origin);
  const browser = await openBrowser();
  return {
    backend,
    browser,
    url: pages.urls.console,
    async stop() {
      await browser?.close();
      await pages.stop();
      await backend.stop();
    },
  };
}

/** Serves the pages of a backend that is reached at `supabaseUrl`. */
export function serveConsole({ environment }: Backend, supabaseUrl: string): Promise<Pages> {
  return servePages({ ...environment, SUPABASE_URL: supabaseUrl }, { account: 0, console: 0 });
}

/** Makes somebody who can sign in with a password, at the Auth that is reached at `supabaseUrl`. */
export async function newUserOfAuth(
  { environment }: Pick<Backend, "environment">,
  { name = "Asha", supabaseUrl = environment.SUPABASE_URL } = {},
): Promise<Credentials> {
  const email = `${crypto.randomUUID()}@example.com`;
  const password = newSecret();
  const response = await fetch(`${supabaseUrl}/auth/v1/admin/users`, {
    method: "POST",
    headers: { apikey: environment.SUPABASE_SECRET_KEY, "content-type": "application/json" },
    body: JSON.stringify({ email, password, email_confirm: true }),
  });
  await response.body?.cancel();
  strictEqual(response.status, 200);
  return { name, email, password };
}

/** Makes an operator, as `deno task operator add` does. */
export async function addOperator(
  backend: Pick<Backend, "environment" | "sql">,
  { role = "owner", name = "Asha", supabaseUrl = backend.environment.SUPABASE_URL }: {
    role?: OperatorRole;
    name?: string;
    supabaseUrl?: string;
  } = {},
): Promise<Credentials> {
  const user = await newUserOfAuth(backend, { name, supabaseUrl });
  await backend.sql`select from public.add_operator(${user.email}, ${name}, ${role})`;
  return user;
}

/** What went wrong in each page: violations of its policy, exceptions, and what it logged as an error. */
const troubles = new WeakMap<Page, string[]>();

/** Opens a page that notes what goes wrong in it. */
export async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  const noted: string[] = [];
  troubles.set(page, noted);
  page.on("pageerror", (error) => noted.push(String(error)));
  page.on("console", (message) => {
    // An answer with an error status is the page's to show, and the browser logs it all the same.
    const isStatus = /^Failed to load resource: (the server|net::ERR_FAILED)/.test(message.text());
    if (message.type() === "error" && !isStatus) noted.push(message.text());
  });
  await page.goto(url);
  return page;
}

/** Fails if anything went wrong in a page. */
export function expectNoTrouble(page: Page): void {
  deepStrictEqual(troubles.get(page), []);
}

/** Opens the console as an operator. */
export async function openConsole(
  context: BrowserContext,
  url: string,
  operator: Credentials,
): Promise<Page> {
  const page = await openPage(context, url);
  await signIn(page, operator);
  await page.getByRole("navigation", { name: "Views" }).waitFor();
  return page;
}

/**
 * Holds back the answer to the next request to an address, and to no later one. Returns a function that
 * lets the page have it, unless it has given the request up, and waits until it shows what follows.
 */
export function holdAnswer(page: Page, address: string): Promise<() => Promise<void>> {
  return hold(page, address, async (route, isLetGo) => {
    const response = await route.fetch();
    await isLetGo;
    await route.fulfill({ response });
  });
}

/** Like `holdAnswer`, but holds back the request itself: it is answered as things are when it is let go. */
export function holdRequest(page: Page, address: string): Promise<() => Promise<void>> {
  return hold(page, address, async (route, isLetGo) => {
    await isLetGo;
    await route.continue();
  });
}

/** Like `holdAnswer`, but the page gets no answer in the end. */
export function holdFailure(page: Page, address: string): Promise<() => Promise<void>> {
  return hold(page, address, async (route, isLetGo) => {
    await isLetGo;
    await route.abort();
  });
}

async function hold(
  page: Page,
  address: string,
  answer: (route: Route, isLetGo: Promise<void>) => Promise<void>,
): Promise<() => Promise<void>> {
  const { promise: isLetGo, resolve: letGo } = Promise.withResolvers<void>();
  const { promise: hasEnded, resolve: end } = Promise.withResolvers<void>();
  let held: Request | undefined;
  const watch = (request: Request) => {
    if (request === held) end();
  };
  page.on("requestfinished", watch);
  page.on("requestfailed", watch);
  await page.route(address, async (route) => {
    if (held || route.request().method() === "OPTIONS") return await route.fallback();
    held = route.request();
    try {
      await answer(route, isLetGo);
    } catch {
      // The page no longer waits for it, or is closed.
    }
  });
  return async () => {
    letGo();
    await hasEnded;
    await page.evaluate(() =>
      new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))
    );
  };
}
