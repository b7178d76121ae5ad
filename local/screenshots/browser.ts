/**
 * The browser that shows the pages: Debian's Chromium.
 * @module
 */

import { type Browser, chromium } from "playwright-core";
import { exists } from "../system/files.ts";

/** Where the browser is. */
export const CHROMIUM = "/usr/bin/chromium";

const FLAGS = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-gpu",
  "--no-first-run",
];

/** Starts the browser, or returns undefined where there is none. */
export async function openBrowser(): Promise<Browser | undefined> {
  if (!await exists(CHROMIUM)) return undefined;
  return await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}
