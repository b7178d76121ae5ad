/**
 * How the console looks and sounds, in every state: to axe-core, on a narrow screen, with a keyboard alone;
 * what attackers wrote is text; and long lists are quick.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { Page } from "playwright-core";
import {
  consoleStates,
  goTo,
  leaveState,
  openCustomer,
  signIn,
} from "../../local/screenshots/console-states.ts";
import { newCustomer, userIdOf } from "../support/bot.ts";
import { assertAccessible, testInBrowser } from "../support/browser.ts";
import {
  addOperator,
  expectNoTrouble,
  newUserOfAuth,
  openConsole,
  openPage,
  startConsole,
} from "../support/console.ts";
import {
  makeTroubles,
  newCustomerWithHistory,
  newDebtor,
  newSceneCustomer,
} from "../support/console-scenes.ts";
import { deliverTo } from "../support/events.ts";
import { closedUrl } from "../support/faulty-servers.ts";
const harness = await startConsole();
const { backend, browser, url } = harness;
const { sql, razorpay: { control } } = backend;
Deno.test.afterAll(() => harness.stop());

const operator = await addOperator(backend);
const scene = await newSceneCustomer({ sql, control });
const debtor = await newDebtor({ sql });
await deliverTo([closedUrl()]);
await makeTroubles({ sql, control });
await sql`select from public.run_book_check()`;

const dialogOf = (page: Page) => page.getByRole("dialog");
const states = consoleStates({ customer: scene, debtor });

for (const colorScheme of ["light", "dark"] as const) {
  testInBrowser(
    browser,
    `axe-core finds nothing in any state (${colorScheme})`,
    async (context) => {
      const gate = await openPage(context, url);
      await assertAccessible(gate);
      await signIn(gate, { ...operator, password: "wrong" });
      await gate.getByRole("alert").waitFor();
      await assertAccessible(gate);
      await signIn(gate, await newUserOfAuth(backend));
      await gate.getByRole("heading", { name: "Not an operator" }).waitFor();
      await assertAccessible(gate);
      await gate.close();

      const page = await openConsole(context, url, operator);
      for (const { name, show } of states) {
        await show(page);
        await assertAccessible(page).catch((error) => {
          throw new Error(`${name}: ${error.message}`);
        });
        await leaveState(page);
      }
      expectNoTrouble(page);
    },
    { colorScheme, reducedMotion: "reduce" },
  );
}

testInBrowser(browser, "no state is wider than a screen of 320 pixels", async (context) => {
  const gate = await openPage(context, url);
  await expectToFit(gate, "sign-in");
  const page = await openConsole(context, url, operator);
  for (const { name, show } of states) {
    await show(page);
    await expectToFit(page, name);
    await leaveState(page);
  }
}, { viewport: { width: 320, height: 640 } });

/** Fails if a page scrolls sideways, or a button or a field is too small to hit. */
async function expectToFit(page: Page, name: string): Promise<void> {
  const { width, small } = await page.evaluate(() => ({
    width: document.documentElement.scrollWidth,
    small: [...document.querySelectorAll("button, input, select, textarea, summary")]
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
      .filter(({ element, box }) =>
        box.height > 0 && (box.height < 24 || box.width < 24) && !element.closest("label")
      )
      .map(({ element }) => element.outerHTML.slice(0, 100)),
  }));
  ok(width <= 320, `${name} is ${width} pixels wide`);
  deepStrictEqual(small, [], name);
}

/** Presses Tab until what has the focus is called so. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      return element?.getAttribute("aria-label") ?? element?.closest("label")?.textContent ??
        element?.textContent ?? "";
    });
    if (focused.trim() === name) return;
  }
  throw new Error(`The focus never came to ${name}`);
}

testInBrowser(
  browser,
  "an operator signs in, finds a customer and gives credits with the keyboard alone",
  async (context) => {
    const { phone_number } = await newCustomer(sql, 12);
    const page = await openPage(context, url);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await tabTo(page, "E-mail address");
    await page.keyboard.type(operator.email);
    await tabTo(page, "Password");
    await page.keyboard.type(operator.password);
    await page.keyboard.press("Enter");
    await page.getByRole("navigation").waitFor();
    // The search gets the focus by itself.
    await page.locator("input[type=search]:focus").waitFor();
    await page.keyboard.type(phone_number);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: phone_number }).waitFor();
    await page.locator("h1:focus").waitFor();
    await page.getByRole("group", { name: "What can be done" }).waitFor();
    await tabTo(page, "Give or take credits");
    await page.keyboard.press("Enter");
    await tabTo(page, "Credits");
    await page.keyboard.type("5");
    await tabTo(page, "Reason, for the record");
    await page.keyboard.type("By hand");
    await tabTo(page, "Give credits");
    await page.keyboard.press("Enter");
    await page.getByText("Done.").waitFor();
    // What has happened has the focus, and is read.
    await page.locator(".result:focus").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    // The focus is back where it was.
    await page.locator("button:focus", { hasText: "Give or take credits" }).waitFor();
    const id = await userIdOf(sql, { phone_number });
    const [user] = await sql`select credits from public.users where id = ${id}`;
    strictEqual(user?.credits, 17);
    expectNoTrouble(page);
  },
);

const HOSTILE = `<img src=x onerror="window.pwned=1"><script>window.pwned=2</script>`;

testInBrowser(
  browser,
  "what attackers wrote into any field is shown as text, and executed nowhere",
  async (context) => {
    const texts = { operator: HOSTILE, reason: HOSTILE, reference: HOSTILE };
    await sql`update public.packages set name = ${HOSTILE} where id in ('starter', 'popular')`;
    const customer = await newSceneCustomer({ sql, control }, texts);
    await sql`
    insert into public.webhook_deliveries (event_id, event, payload, outcome, finished_at)
    values ('evt_1', ${HOSTILE}, '{}', 'failed', now())`;
    await sql`
    insert into public.book_violations (invariant, subject, detail, user_id)
    values (${HOSTILE}, ${HOSTILE}, ${HOSTILE}, ${customer.id})`;
    await deliverTo([closedUrl()]);
    await sql`update public.event_deliveries set last_error = ${HOSTILE}`;
    const [{ id: hold } = { id: "" }] = await sql`
    select reference_id as id from public.holds where user_id = ${customer.id}`;
    ok(hold.startsWith(HOSTILE));
    const villain = await addOperator(backend, { name: HOSTILE });
    try {
      const page = await openConsole(context, url, villain);
      const hostile = page.getByText("window.pwned=1");
      const seen: Record<string, number> = {};
      for (const { name, show } of consoleStates({ customer, debtor })) {
        await show(page);
        seen[name] = await hostile.count();
        strictEqual(await page.locator("main img, main script, dialog img").count(), 0, name);
        await leaveState(page);
      }
      await goTo(page, `#/actions?operator=${encodeURIComponent(HOSTILE)}`);
      await page.getByRole("list", { name: "Actions, newest first" }).waitFor();
      // Each in several places: package, references, reasons, names, failures.
      for (const name of ["customer", "end-hold", "attention", "books", "actions"]) {
        ok((seen[name] ?? 0) > 1, JSON.stringify(seen));
      }
      for (
        const hash of [`#/${HOSTILE}`, `#/customer/${HOSTILE}`, `#/actions?user_id=${HOSTILE}`]
      ) {
        await goTo(page, hash);
        await page.getByRole("heading", { level: 1 }).waitFor();
      }
      strictEqual(await page.evaluate(() => "pwned" in globalThis), false);
      expectNoTrouble(page);
    } finally {
      await sql`update public.packages set name = initcap(id) where id in ('starter', 'popular')`;
      await sql`update public.book_violations set gone_at = now()`;
    }
  },
);

const ENTRIES = 10_000;

testInBrowser(
  browser,
  "10,000 entries are loaded in pages, and few of them are in the document",
  async (context) => {
    const { id } = await newCustomerWithHistory({ sql }, ENTRIES);
    const page = await openConsole(context, url, operator);
    await openCustomer(page, id);
    const entries = page.getByRole("region", { name: "Entries", exact: true });
    await entries.getByText("50 of 10,000").waitFor();
    await observeSlowness(page);
    const started = performance.now();
    await entries.getByRole("button", { name: "Show all" }).click();
    await entries.getByRole("progressbar").waitFor();
    await entries.locator(".panel-head").getByText("10,000 of 10,000").waitFor();
    const loadedMs = Math.round(performance.now() - started);
    const rows = () => entries.locator("tbody tr:not(.room)").count();
    ok(await rows() <= 500, `${await rows()} rows`);
    strictEqual(await entries.getByRole("table").getAttribute("aria-rowcount"), "10001");

    // The end of the list is there when it is scrolled to, and the beginning again.
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await entries.getByText("welcome", { exact: true }).waitFor();
    ok(await rows() <= 1000, `${await rows()} rows`);
    await page.evaluate(() => scrollTo(0, 0));
    await entries.getByText(`wamid.${ENTRIES}`, { exact: true }).waitFor();
    const { longestTaskMs } = await slowness(page);
    console.log(
      `10,000 entries: loaded in ${loadedMs} ms; the longest task took ${longestTaskMs} ms`,
    );
    // An act afterwards is as quick as ever.
    await page.getByRole("button", { name: "Give or take credits" }).click();
    await dialogOf(page).waitFor();
    expectNoTrouble(page);
  },
);

/** Notes long tasks and shifts of the layout from here on. */
async function observeSlowness(page: Page): Promise<void> {
  await page.evaluate(() => {
    const noted = { longestTaskMs: 0, shift: 0 };
    Object.assign(globalThis, { noted });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        noted.longestTaskMs = Math.max(noted.longestTaskMs, Math.round(duration));
      }
    }).observe({ type: "longtask" });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[]) {
        noted.shift += entry.value;
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
}

function slowness(page: Page): Promise<{ longestTaskMs: number; shift: number }> {
  return page.evaluate(() =>
    (globalThis as unknown as { noted: { longestTaskMs: number; shift: number } }).noted
  );
}

testInBrowser(browser, "lab figures are printed", async (context) => {
  const page = await openConsole(context, url, operator);
  await page.reload();
  await page.getByRole("navigation").waitFor();
  await observeSlowness(page);
  const shownMs = await page.evaluate(() => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return Math.round(paint?.startTime ?? 0);
  });
  const bytes = await page.evaluate(() =>
    performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
      .map((entry) => (entry as PerformanceResourceTiming).encodedBodySize)
      .reduce((sum, size) => sum + size, 0)
  );
  const started = performance.now();
  await openCustomer(page, scene.id);
  const customerMs = Math.round(performance.now() - started);
  const { shift, longestTaskMs } = await slowness(page);
  console.log(
    `first paint ${shownMs} ms, ${bytes} bytes, a customer in ${customerMs} ms, ` +
      `longest task ${longestTaskMs} ms, layout shift ${shift.toFixed(4)}`,
  );
});
