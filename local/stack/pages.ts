/**
 * The pages of a stack: built for its address and keys, and served on ports of their own, because each
 * page is an origin of its own.
 * @module
 */

import { buildPage, type BuiltPage } from "../pages/build.ts";
import { CHECKOUT_URL, type PageConfiguration, type PageName, PAGES } from "../pages/pages.ts";
import { servePage } from "../pages/serve.ts";
import { CHECKOUT_SCRIPT_PATH } from "../razorpay/checkout-window.ts";
import type { StackEnvironment } from "./environment.ts";

/** Who sells on the embedded stack. */
const SELLER = "Image bot";

/** The setting that moves each page. */
const PORT_SETTINGS = { account: "ACCOUNT_PORT", console: "CONSOLE_PORT" } as const;

/** Pages that are being served. */
export interface Pages {
  /** The address of each page, with a slash at the end. */
  readonly urls: Readonly<Record<PageName, string>>;
  stop(): Promise<void>;
}

/** What the pages must know of a stack. */
type Backend = Pick<
  StackEnvironment,
  "SUPABASE_URL" | "SUPABASE_PUBLISHABLE_KEY" | "RAZORPAY_API_URL"
>;

/**
 * Builds both pages for a stack and serves them on 127.0.0.1. Port 0 takes any free one.
 *
 * @throws {TaskError} if a page cannot be built or a port is taken.
 */
export async function servePages(
  backend: Backend,
  ports: Readonly<Record<PageName, number>>,
): Promise<Pages> {
  const configuration = pageConfiguration(backend);
  const built = await Promise.all(PAGES.map((name) => buildPage(name, configuration)));
  await using starting = new AsyncDisposableStack();
  const serve = (name: PageName) => {
    const files = built[PAGES.indexOf(name)] as BuiltPage;
    const page = servePage(files, { port: ports[name], setting: PORT_SETTINGS[name] });
    starting.defer(() => page.stop());
    return page.url;
  };
  const urls = { account: serve("account"), console: serve("console") };
  const served = starting.move();
  return { urls, stop: () => served.disposeAsync() };
}

/** Returns the pages' configuration for a stack. With real keys, Checkout is the real one. */
export function pageConfiguration(backend: Backend): PageConfiguration {
  const { hostname } = new URL(backend.RAZORPAY_API_URL);
  return {
    supabase_url: backend.SUPABASE_URL,
    publishable_key: backend.SUPABASE_PUBLISHABLE_KEY,
    seller_name: SELLER,
    checkout_url: hostname === "api.razorpay.com"
      ? CHECKOUT_URL
      : new URL(CHECKOUT_SCRIPT_PATH, backend.RAZORPAY_API_URL).href,
  };
}
