/**
 * A real browser for tests. On a machine without one, the tests that need it are skipped, and say so.
 * @module
 */

import { deepStrictEqual } from "node:assert/strict";
import axe from "axe-core";
import type { Browser, BrowserContext, BrowserContextOptions, Frame, Page } from "playwright-core";
import { CHROMIUM } from "../../local/screenshots/browser.ts";

export { openBrowser } from "../../local/screenshots/browser.ts";

/** Declares a test in a browser context of its own, because a shared one would share its cache. */
export function testInBrowser(
  browser: Browser | undefined,
  name: string,
  act: (context: BrowserContext) => Promise<void>,
  options: BrowserContextOptions = {},
): void {
  Deno.test({
    name: browser ? name : `${name} (skipped: there is no ${CHROMIUM})`,
    ignore: browser === undefined,
    async fn() {
      if (!browser) return;
      const context = await browser.newContext(options);
      try {
        await act(context);
      } finally {
        // A page may ask for something until it is closed, whose answer a route then waits for in vain.
        for (const routed of [context, ...context.pages()]) {
          await routed.unrouteAll({ behavior: "ignoreErrors" });
        }
        await context.close();
      }
    },
  });
}

/** Fails with everything that axe-core finds in a page, or in one frame of it, as it is now. */
export async function assertAccessible(frame: Page | Frame): Promise<void> {
  await frame.evaluate(axe.source);
  // A frame inside is asserted by itself.
  const found = await frame.evaluate(
    "axe.run(document, { iframes: false }).then(({ violations }) => violations)",
  );
  deepStrictEqual(found, []);
}
