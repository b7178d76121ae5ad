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

/** The rules of axe-core that depend on colors, which are all that a color scheme can break. */
export const COLOR_RULES: readonly string[] = ["color-contrast", "link-in-text-block"];

/**
 * Fails with everything that axe-core finds in a page, or in one frame of it, as it is now: by all of its
 * rules, or only by these.
 */
export async function assertAccessible(
  frame: Page | Frame,
  rules?: readonly string[],
): Promise<void> {
  if (await frame.evaluate("typeof axe") === "undefined") await frame.evaluate(axe.source);
  // A frame inside is asserted by itself.
  const options = JSON.stringify({ iframes: false, ...(rules && { runOnly: rules }) });
  const found = await frame.evaluate(
    `axe.run(document, ${options}).then(({ violations }) => violations)`,
  );
  deepStrictEqual(found, []);
}
