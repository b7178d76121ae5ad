/**
 * A real browser: Debian's Chromium, and axe-core for what it shows.
 * @module
 */

import { deepStrictEqual, ok } from "node:assert/strict";
import axe from "axe-core";
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Frame,
  type Page,
} from "playwright-core";
import { exists } from "../../local/system/files.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-gpu",
  "--no-first-run",
];

/** Starts the browser that {@linkcode testInBrowser} takes; undefined if it is not installed. */
export async function startBrowser(): Promise<Browser | undefined> {
  if (!await exists(CHROMIUM)) return undefined;
  return await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** A test that runs if there is a browser, in a context of its own. */
export function testInBrowser(
  browser: Browser | undefined,
  name: string,
  act: (context: BrowserContext) => Promise<void>,
  options?: Parameters<Browser["newContext"]>[0],
): void {
  Deno.test({
    name: browser ? name : `${name} (skipped: there is no ${CHROMIUM})`,
    ignore: browser === undefined,
    async fn() {
      const context = await browser?.newContext(options);
      ok(context);
      try {
        await act(context);
      } finally {
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
