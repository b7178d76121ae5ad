/**
 * Takes screenshots of the pages in every state, in light and dark, on a stack of its own.
 * @module
 */

import { join } from "node:path";
import type { Browser } from "playwright-core";
import postgres from "postgres";
import { connectControl } from "../razorpay/control-client.ts";
import type { Stack } from "../stack/stack.ts";
import { makeFolder } from "../system/files.ts";
import { TaskError } from "../system/task.ts";
import { ACCOUNT_SHOTS } from "./account.ts";
import { CONSOLE_SHOTS } from "./console.ts";
import { CHROMIUM, openBrowser } from "./browser.ts";
import type { Shot } from "./stage.ts";

/** Every state of every page. */
const SHOTS: readonly Shot[] = [...ACCOUNT_SHOTS, ...CONSOLE_SHOTS];

const PHONE = { width: 390, height: 844 };
const SCHEMES = ["light", "dark"] as const;
/** The chat that the pages lead to; nobody has this number. */
const BOT_NUMBER = "+910000000000";
const WAIT_MS = 15_000;

/**
 * Takes the shots whose names begin with one of `prefixes`, into a folder.
 *
 * @throws {TaskError} if there is no browser.
 */
export async function takeScreenshots(
  stack: Stack,
  folder: string,
  prefixes: readonly string[],
  tell: (line: string) => void,
): Promise<void> {
  await using browser = await openBrowser();
  if (!browser) throw new TaskError(`There is no browser: ${CHROMIUM} is missing.`);
  const sql = postgres(stack.environment.DATABASE_URL, { max: 1, onnotice: () => {} });
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => sql.end());
  await makeFolder(folder);
  const isWanted = ({ name }: Shot) =>
    prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix));
  for (const shot of SHOTS.filter(isWanted)) {
    for (const colorScheme of SCHEMES) {
      const file = join(folder, `${shot.name}-${colorScheme}.png`);
      await takeScreenshot(browser, { shot, colorScheme, stack, sql, file });
      tell(file);
    }
  }
}

async function takeScreenshot(
  browser: Browser,
  { shot, colorScheme, stack, sql, file }: {
    shot: Shot;
    colorScheme: typeof SCHEMES[number];
    stack: Stack;
    sql: postgres.Sql;
    file: string;
  },
): Promise<void> {
  const context = await browser.newContext({
    viewport: shot.size ?? PHONE,
    locale: shot.locale ?? "en-IN",
    timezoneId: "Asia/Kolkata",
    colorScheme,
    reducedMotion: "reduce",
    deviceScaleFactor: shot.isForDocs ? 2 : 1,
  });
  try {
    context.setDefaultTimeout(WAIT_MS);
    await context.route("**/config.json", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...await response.json(), bot_number: BOT_NUMBER } });
    });
    const page = await context.newPage();
    const razorpay = connectControl(stack.environment.RAZORPAY_API_URL);
    await shot.prepare({ page, stack, razorpay, sql });
    // What Checkout covers cannot be scrolled.
    const hasCheckout = await page.locator("dialog").count() > 0;
    await page.screenshot({ path: file, fullPage: !shot.isForDocs && !hasCheckout });
  } finally {
    await context.close();
  }
}
