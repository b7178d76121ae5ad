/**
 * The account page in a real browser, in front of a real backend, under the headers that it is
 * deployed with.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { BrowserContext, FrameLocator, Page } from "playwright-core";
import { z } from "zod";
import { buildPage } from "../../local/pages/build.ts";
import { servePage } from "../../local/pages/serve.ts";
import { pageConfiguration } from "../../local/stack/pages.ts";
import { setEnvironment } from "../../local/stack/stack.ts";
import type { Backend } from "./backend.ts";
import { assertAccessible, COLOR_RULES } from "./browser.ts";
import { call, dataOf, operatorHeaders } from "./calls.ts";
import { keepPrivate } from "./private-values.ts";

/** The bot's number, which the page leads back to. */
export const BOT_NUMBER = "+911234567890";

/** A browser in which Checkout leaves the page. */
export const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) " +
  "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

/** An answer that says no, or never comes, is not an error of the page. */
const EXPECTED_ERROR = /^Failed to load resource: /;

/** Serves the page, and makes it the page of the backend's links, and the only one that may call it. */
export async function serveAccountPage({ environment }: Pick<Backend, "environment">) {
  const configuration = { ...pageConfiguration(environment), bot_number: BOT_NUMBER };
  const served = servePage(await buildPage("account", configuration), {
    port: 0,
    setting: "ACCOUNT_PORT",
  });
  setEnvironment({
    FRONTEND_URL: served.url,
    FRONTEND_ACCESS: "phone-proof",
    ALLOWED_ORIGINS: new URL(served.url).origin,
  });
  return served;
}

/** Returns the link that the bot sends. */
export async function linkFor(
  identity: { phone_number: string } | { whatsapp_user_id: string },
): Promise<string> {
  const { url, token } = dataOf(await call("POST", "bot-link", { body: identity }));
  keepPrivate(z.string().parse(token));
  return z.string().parse(url);
}

/** Asks Razorpay about an order, as a webhook or the reconciler would make the backend do. */
export async function settleOrder(order: string): Promise<void> {
  const body = { order, operator: "Asha", reason: "The test is Razorpay's webhook" };
  dataOf(await call("POST", "settle-order", { body, headers: operatorHeaders() }));
}

/** A visit to the page. */
export class Visit {
  readonly page: Page;
  /** What the browser complained about: scripts that failed, and what the page's policy stopped. */
  readonly #complaints: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("console", (message) => {
      const text = message.text();
      if (message.type() === "error" && !EXPECTED_ERROR.test(text)) this.#complaints.push(text);
    });
    page.on("pageerror", (error) => this.#complaints.push(String(error)));
  }

  /** Opens an address in a tab of its own, and waits until the page shows something. */
  static async start(context: BrowserContext, url: string): Promise<Visit> {
    const visit = new Visit(await context.newPage());
    await visit.page.addInitScript(OBSERVE_SHIFTS);
    await visit.page.goto(url);
    await visit.loaded();
    return visit;
  }

  /** Waits until the page has loaded what it shows. */
  async loaded(): Promise<void> {
    await this.page.locator("main:not(:has([aria-busy]))").waitFor();
  }

  /** What is written in large type. */
  async balance(): Promise<string> {
    return await this.page.locator(".balance strong").innerText();
  }

  /** The words of each entry of the history, in a line. */
  async entries(): Promise<string[]> {
    const texts = await this.page.locator(".entries li").allInnerTexts();
    return texts.map((text) => text.replace(/\s+/g, " "));
  }

  /** Waits until this is said of the payment, and returns the sentences below. */
  async told(title: string): Promise<string> {
    await this.page.getByRole("heading", { name: title, exact: true }).waitFor();
    return await this.page.locator(".panel p").first().innerText();
  }

  /** Chooses a package, and waits until it can be paid. */
  async choose(name: RegExp = /20 credits/, price = "₹99"): Promise<void> {
    await this.page.getByRole("radio", { name }).check();
    await this.payButton(price).waitFor();
  }

  payButton(price = "₹99") {
    return this.page.getByRole("button", { name: `Pay ${price}`, exact: true });
  }

  /** Chooses the first package, opens Checkout, and returns its window. */
  async openCheckout(): Promise<FrameLocator> {
    await this.choose();
    await this.payButton().click();
    const checkout = this.page.frameLocator("iframe");
    await checkout.getByRole("button", { name: "Leave" }).waitFor();
    return checkout;
  }

  /** Fails with what axe-core finds, in light and in dark, and if anything does not fit the width. */
  async assertAccessible(): Promise<void> {
    await this.page.emulateMedia({ colorScheme: "dark" });
    await assertAccessible(this.page, COLOR_RULES);
    await this.page.emulateMedia({ colorScheme: "light" });
    await assertAccessible(this.page);
    await this.assertFits();
  }

  /** Fails if the page can be scrolled sideways. */
  async assertFits(): Promise<void> {
    const [content, width] = await this.page.evaluate<[number, number]>(
      "[document.documentElement.scrollWidth, innerWidth]",
    );
    strictEqual(content, width, "the page is wider than its window");
  }

  /** Fails with everything on the page that has moved without anybody's doing. */
  async assertNothingMoved(): Promise<void> {
    deepStrictEqual(await this.page.evaluate("globalThis.layoutShifts"), []);
  }

  /** Fails with everything that the browser complained about so far. */
  assertNoComplaints(): void {
    deepStrictEqual(this.#complaints, []);
  }
}

/** Lists the layout shifts that Web Vitals counts. Runs in the page. */
const OBSERVE_SHIFTS = `
  globalThis.layoutShifts = [];
  new PerformanceObserver((list) => {
    for (const { hadRecentInput, value, sources } of list.getEntries()) {
      const moved = sources.map(({ node, previousRect: from, currentRect: to }) =>
        (node?.outerHTML ?? node?.textContent ?? "?").slice(0, 80) +
        [" from", from.x, from.y, from.width, from.height, "to", to.x, to.y, to.width, to.height]
          .join(" ")
      );
      if (!hadRecentInput) globalThis.layoutShifts.push({ value, moved });
    }
  }).observe({ type: "layout-shift", buffered: true });`;
