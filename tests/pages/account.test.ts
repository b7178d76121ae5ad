/**
 * The account page in Chromium, against the backend and the stand-in's Checkout, under the headers that
 * the page is deployed with: from the bot's link to the paid credits, and every other end of a purchase.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import type { BrowserContext, BrowserContextOptions, FrameLocator, Page } from "playwright-core";
import { z } from "zod";
import { buildPage, compressedSize } from "../../local/pages/build.ts";
import { BUDGET_BYTES } from "../../local/pages/pages.ts";
import { servePage } from "../../local/pages/serve.ts";
import { pageConfiguration } from "../../local/stack/pages.ts";
import {
  BOT_NUMBER,
  IPHONE,
  linkFor,
  serveAccountPage,
  settleOrder,
  Visit,
} from "../support/account-page.ts";
import { startBackend } from "../support/backend.ts";
import { openBrowser, testInBrowser } from "../support/browser.ts";
import { call, dataOf, operatorHeaders } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { signedIn } from "../support/proofs.ts";
import { buyCredits, orderPackage } from "../support/purchases.ts";
import { withLimit } from "../support/rate-limits.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";
import { until } from "../../local/system/until.ts";

const backend = await startBackend();
const served = await serveAccountPage(backend);
const browser = await openBrowser();
const { control } = backend.razorpay;

Deno.test.afterAll(async () => {
  await browser?.close();
  await served.stop();
  await backend.stop();
});

const PHONE_SCREEN: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  locale: "en-IN",
  timezoneId: "Asia/Kolkata",
};

/** What the functions answer once a link has ended. */
const EXPIRED_LINK = {
  status: 401,
  headers: { "access-control-allow-origin": "*" },
  json: { status: "ERROR", code: "INVALID_PROOF", message: "The link is not valid any more" },
};

/** A test of visits to the page; fails with whatever the browser complains about. */
function testOnPage(
  name: string,
  act: (start: (url: string) => Promise<Visit>, context: BrowserContext) => Promise<void>,
  options: BrowserContextOptions = {},
): void {
  testInBrowser(browser, name, async (context) => {
    const visits: Visit[] = [];
    context.setDefaultTimeout(15_000);
    await act(async (url) => {
      const visit = await Visit.start(context, url);
      visits.push(visit);
      return visit;
    }, context);
    for (const visit of visits) visit.assertNoComplaints();
  }, { ...PHONE_SCREEN, ...options });
}

/** Charges a user for something. */
async function spend(phone_number: string, action: string, quantity?: number): Promise<void> {
  const reference_id = crypto.randomUUID();
  dataOf(
    await call("POST", "bot-deduct", { body: { phone_number, action, quantity, reference_id } }),
  );
}

/** Returns the only order of a number. */
async function orderOf(phone: string): Promise<string> {
  const [order] = await backend.sql`
    select razorpay_order_id from public.payment_orders where phone_number = ${phone}`;
  return z.string().parse(order?.razorpay_order_id);
}

async function balanceOf(phone: string): Promise<number> {
  const [user] = await backend.sql`
    select credits from public.users where phone_number = ${phone}`;
  return z.int().parse(user?.credits);
}

for (const access of ["phone-proof", "public"]) {
  testOnPage(
    `from the bot's link to the paid credits (${access})`,
    (start) =>
      withEnvironment({ FRONTEND_ACCESS: access }, async () => {
        const phone_number = newPhoneNumber();
        const link = await linkFor({ phone_number });
        const visit = await start(link);
        const { page } = visit;
        strictEqual(page.url(), served.url, "the token has left the address");
        ok(
          link.includes(
            await page.evaluate<string>("JSON.parse(sessionStorage.proof).access_token"),
          ),
        );
        strictEqual(await page.title(), "Your credits · Image bot");
        strictEqual(await visit.balance(), "3");
        match((await visit.entries()).join(), /^Welcome gift \+3.* Balance 3$/);
        strictEqual(await page.locator("script[src*=checkout]").count(), 0, "loaded when needed");
        await visit.assertAccessible();

        await visit.choose();
        await visit.assertAccessible();
        const checkout = await visit.openCheckout();
        match(await checkout.locator("main").innerText(), /Image bot\s+Starter: 20 credits\s+₹99/);
        await checkout.getByRole("button", { name: "Pay ₹99" }).click();
        strictEqual(await visit.told("Payment received"), "20 credits have been added.");
        // A screen reader is taken to the result.
        await page.locator(":focus", { hasText: /^Payment received$/ }).waitFor();
        await until("the balance has arrived", async () => await visit.balance() === "23");
        match((await visit.entries())[0] ?? "", /^Credits bought pay_\w+ \+20 .* Balance 23$/);
        strictEqual(await balanceOf(phone_number), 23);
        await visit.assertAccessible();
        await visit.assertNothingMoved();

        await page.getByRole("button", { name: "Buy more" }).click();
        await visit.choose(/75 credits/, "₹299");
        strictEqual(await page.evaluate<number>("document.querySelectorAll('dialog').length"), 0);
      }),
  );
}

testOnPage(
  "a customer whose browser leaves the page for Checkout comes back to the credits",
  async (start) => {
    const phone_number = newPhoneNumber();
    const visit = await start(await linkFor({ phone_number }));
    const { page } = visit;
    await visit.choose();
    await visit.payButton().click();
    const pay = page.getByRole("button", { name: "Pay ₹99" });
    await page.waitForURL(`${backend.razorpay.url}/**`);
    await pay.click();
    await page.waitForURL(served.url);
    strictEqual(await visit.told("Payment received"), "20 credits have been added.");
    strictEqual(await visit.balance(), "23");
    await page.locator(":focus", { hasText: /^Payment received$/ }).waitFor();
    await visit.assertAccessible();
    // It has been said, and is not said again.
    await page.reload();
    await visit.loaded();
    strictEqual(await page.locator(".panel").count(), 0);
    strictEqual(await visit.balance(), "23");
    await visit.assertNothingMoved();
  },
  { userAgent: IPHONE },
);

testOnPage(
  "a customer who goes back from Checkout's own page is told that nothing is confirmed",
  async (start) => {
    const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
    const { page } = visit;
    await visit.choose();
    await visit.payButton().click();
    await page.waitForURL(`${backend.razorpay.url}/**`);
    await page.goBack();
    await page.getByRole("heading", { name: /^(Did you pay\?|You closed the payment window)$/ })
      .waitFor();
    await page.getByRole("button", { name: "Choose a package" }).click();
    await visit.choose();
  },
  { userAgent: IPHONE },
);

testOnPage(
  "a payment that is not confirmed is asked about, slower and slower, and then left alone",
  async (start) => {
    const phone_number = newPhoneNumber();
    const visit = await start(await linkFor({ phone_number }));
    const { page } = visit;
    const checkout = await visit.openCheckout();
    await page.clock.install();
    const asked: number[] = [];
    let isUnderWay = false;
    await page.route("**/verify-payment", async (route) => {
      isUnderWay = true;
      asked.push(await page.evaluate("Date.now()"));
      await control.addFault({ kind: "500", method: "GET" });
      await route.fulfill({ response: await route.fetch() });
      isUnderWay = false;
    });
    await checkout.getByRole("button", { name: "Pay ₹99" }).click();
    match(await visit.told("Checking your payment"), /the credits come anyway/);
    await visit.assertAccessible();
    await until("it has given up", async () => {
      if (!isUnderWay) await page.clock.runFor(1_000);
      return await page.getByRole("heading", { name: "Not confirmed yet" }).isVisible();
    });
    match(await visit.told("Not confirmed yet"), /the credits come by themselves/);
    const pauses = asked.slice(1).map((time, index) => time - (asked[index] ?? 0));
    ok(pauses.length >= 6, String(pauses));
    // A pause as measured here is longer by what its question takes.
    ok((pauses[0] ?? 0) < 10_000 && (pauses.at(-1) ?? 0) > 25_000, String(pauses));
    await visit.assertAccessible();
    strictEqual(await visit.balance(), "3");
    await visit.assertNothingMoved();
  },
);

testOnPage("a payment that is confirmed later turns up by itself", async (start) => {
  const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
  const checkout = await visit.openCheckout();
  await control.addFault({ kind: "500", method: "GET" });
  await checkout.getByRole("button", { name: "Pay ₹99" }).click();
  strictEqual(await visit.told("Payment received"), "20 credits have been added.");
});

testOnPage("a payment is confirmed even if the link has ended meanwhile", async (start) => {
  const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
  const checkout = await visit.openCheckout();
  await visit.page.route("**/verify-payment", async (route) => {
    if (!route.request().headers()["x-access-token"]) return await route.continue();
    await route.fulfill(EXPIRED_LINK);
  });
  await checkout.getByRole("button", { name: "Pay ₹99" }).click();
  await visit.told("Payment received");
});

testOnPage(
  "a payment that the backend refuses is named, for somebody to look at",
  async (start) => {
    const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
    const checkout = await visit.openCheckout();
    await visit.page.route("**/verify-payment", async (route) => {
      const body = { ...route.request().postDataJSON(), razorpay_signature: "0".repeat(64) };
      await route.continue({ postData: JSON.stringify(body) });
    });
    await checkout.getByRole("button", { name: "Pay ₹99" }).click();
    match(await visit.told("We cannot confirm this payment"), /name the payment pay_\w{14}\.$/);
    await visit.assertAccessible();
    strictEqual(await visit.balance(), "3");
  },
);

testOnPage(
  "a payment that failed is told with Razorpay's reason, and can be tried again",
  async (start) => {
    const phone_number = newPhoneNumber();
    const visit = await start(await linkFor({ phone_number }));
    const checkout = await visit.openCheckout();
    await checkout.getByRole("button", { name: "Fail" }).click();
    await checkout.getByText("You can try again.").waitFor();
    await leave(checkout);
    match(await visit.told("The payment failed"), /^Razorpay says: “Payment failed”\nNo credits/);
    await visit.assertAccessible();
    strictEqual(await visit.balance(), "3");

    await visit.page.getByRole("button", { name: "Choose a package" }).click();
    await visit.payButton().click();
    await checkout.getByRole("button", { name: "Pay ₹99" }).click();
    await visit.told("Payment received");
    strictEqual(await balanceOf(phone_number), 23);
  },
);

testOnPage(
  "a customer who closes Checkout is told that nothing failed, and the credits of a late payment appear",
  async (start) => {
    const phone_number = newPhoneNumber();
    const visit = await start(await linkFor({ phone_number }));
    await leave(await visit.openCheckout());
    match(await visit.told("You closed the payment window"), /the credits come by themselves/);
    await visit.assertAccessible();

    const order = await orderOf(phone_number);
    await control.payOrder(order, { outcome: "captured", deliver_webhooks: false });
    await settleOrder(order);
    strictEqual(await visit.told("Payment received"), "20 credits have been added.");
    strictEqual(await visit.balance(), "23");
    await visit.assertNothingMoved();
  },
);

testOnPage(
  "a customer who closed the tab after paying finds the credits when the page is opened again",
  async (start) => {
    const phone_number = newPhoneNumber();
    const first = await start(await linkFor({ phone_number }));
    const checkout = await first.openCheckout();
    await first.page.route("**/verify-payment", (route) => route.abort());
    await checkout.getByRole("button", { name: "Pay ₹99" }).click();
    await first.told("Checking your payment");
    await first.page.close();

    const again = await start(await linkFor({ phone_number }));
    match(await again.told("Did you pay?"), /^You opened the payment of ₹99 for Starter on /);
    await again.assertAccessible();
    await settleOrder(await orderOf(phone_number));
    await again.told("Payment received");
    strictEqual(await again.balance(), "23");

    const later = await start(await linkFor({ phone_number }));
    strictEqual(await later.page.locator(".panel").count(), 0);
  },
);

testOnPage(
  "a page that is opened while a payment is under way says so, in any browser",
  async (start) => {
    const phone_number = newPhoneNumber();
    const link = await linkFor({ phone_number });
    const { order, payment_id } = await beginPayment(phone_number);
    const visit = await start(link);
    match(await visit.told("A payment is under way"), /^₹99 for Starter, begun on /);
    await visit.assertAccessible();
    await control.capture(payment_id, { deliver_webhooks: false });
    await settleOrder(order);
    await visit.told("Payment received");
    strictEqual(await visit.balance(), "23");
  },
);

testOnPage(
  "a page that was only opened while a payment is under way says so until its link ends",
  async (start, context) => {
    await context.clock.install();
    const phone_number = newPhoneNumber();
    await beginPayment(phone_number);
    const link = await linkFor({ phone_number });
    let asked = 0;
    context.on("response", (response) => {
      const isCall = response.request().method() === "GET";
      if (isCall && response.url().includes("/credit-history/")) asked++;
    });
    const visit = await start(link);
    const { page } = visit;
    const text = await visit.told("A payment is under way");
    await until("it has asked for the last time", async () => {
      await page.clock.runFor(1_000);
      return asked >= 10;
    });
    await page.clock.runFor(1_000);
    await settled(visit);
    strictEqual(await visit.told("A payment is under way"), text);
    await endLinks(page);
    await page.getByRole("heading", { name: "This link has ended" }).waitFor();
  },
);

for (const minutes of [1, 20]) {
  testOnPage(
    `a payment under way is told of, and not a purchase that was begun ${minutes} minutes ago`,
    async (start) => {
      const phone_number = newPhoneNumber();
      const first = await start(await linkFor({ phone_number }));
      await first.choose(/75 credits/, "₹299");
      await first.payButton("₹299").click();
      await leave(first.page.frameLocator("iframe"));
      await first.told("You closed the payment window");
      await first.page.evaluate(`{
        const [key] = Object.keys(localStorage).filter((key) => key.startsWith("purchase-"));
        const startedAt = new Date(Date.now() - ${minutes} * 60_000);
        localStorage[key] = JSON.stringify({ ...JSON.parse(localStorage[key]), startedAt });
      }`);
      await first.page.close();

      // By the chat's link, or in another browser.
      const { order, payment_id } = await beginPayment(phone_number);
      const visit = await start(await linkFor({ phone_number }));
      match(await visit.told("A payment is under way"), /^₹99 for Starter, begun on /);
      await control.capture(payment_id, { deliver_webhooks: false });
      await settleOrder(order);
      strictEqual(await visit.told("Payment received"), "20 credits have been added.");
    },
  );
}

testOnPage("a page of the history that comes late changes nothing else", async (start) => {
  const phone_number = newPhoneNumber();
  await buyCredits(control, phone_number, "starter");
  for (let image = 0; image < 20; image++) await spend(phone_number, "image_generation");
  const visit = await start(await linkFor({ phone_number }));
  const { page } = visit;
  const released = Promise.withResolvers<void>();
  await page.route("**/credit-history/*cursor=*", async (route) => {
    const response = await route.fetch();
    await released.promise;
    await route.fulfill({ response });
  });
  await page.getByRole("button", { name: "Show older entries" }).click();
  const checkout = await visit.openCheckout();
  await checkout.getByRole("button", { name: "Pay ₹99" }).click();
  await visit.told("Payment received");
  await until("the balance has arrived", async () => await visit.balance() === "23");
  released.resolve();
  await page.getByText("Entries: 23 of 23").waitFor();
  strictEqual(await visit.balance(), "23");
  match((await visit.entries())[0] ?? "", /^Credits bought /);
  match((await visit.entries()).at(-1) ?? "", /^Welcome gift /);
});

testOnPage(
  "an answer that comes late does not put back the balance before a payment",
  async (start) => {
    const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
    const { page } = visit;
    const late = Promise.withResolvers<void>();
    const isOut = Promise.withResolvers<void>();
    await page.route("**/credit-history/**", async (route) => {
      const response = await route.fetch();
      isOut.resolve();
      await late.promise;
      await route.fulfill({ response });
    }, { times: 1 });
    await leave(await visit.openCheckout());
    await visit.told("You closed the payment window");
    await isOut.promise;
    const checkout = await openAgain(visit);
    await checkout.getByRole("button", { name: "Pay ₹99" }).click();
    await visit.told("Payment received");
    await until("the balance has arrived", async () => await visit.balance() === "23");
    const arrived = page.waitForEvent("requestfinished");
    late.resolve();
    await arrived;
    await settled(visit);
    strictEqual(await visit.balance(), "23");
  },
);

testOnPage(
  "after a payment the balance is asked for until it comes, and the next purchase begins with it",
  async (start) => {
    const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
    const { page } = visit;
    const checkout = await visit.openCheckout();
    await page.route("**/credit-history/**", (route) => route.abort(), { times: 2 });
    await checkout.getByRole("button", { name: "Pay ₹99" }).click();
    await visit.told("Payment received");
    await until("the balance has arrived", async () => await visit.balance() === "23");
    await page.getByRole("button", { name: "Buy more" }).click();
    await leave(await visit.openCheckout());
    await visit.told("You closed the payment window");
  },
);

testOnPage("an address that claims a payment proves nothing", async (start) => {
  const phone_number = newPhoneNumber();
  const visit = await start(await linkFor({ phone_number }));
  for (const order of ["order_RB58MiP5SPFYyM", "", "<img src=x onerror=alert(1)>"]) {
    await visit.page.goto(`${served.url}?x#payment=paid&order=${encodeURIComponent(order)}`);
    await visit.page.goto(served.url);
    await visit.page.goto(`${served.url}#payment=paid&order=${encodeURIComponent(order)}`);
    match(await visit.told("Back from the payment"), /^No payment is under way here\./);
    strictEqual(visit.page.url(), served.url);
    strictEqual(await visit.page.getByText("Payment received").count(), 0);
    strictEqual(await visit.balance(), "3");
  }
  await visit.assertAccessible();

  // Of an order that was opened and not paid, it only says that it is being asked about.
  await leave(await openAgain(visit));
  await visit.page.goto(`${served.url}?x`);
  await visit.page.goto(`${served.url}#payment=paid&order=${await orderOf(phone_number)}`);
  await visit.told("Checking your payment");
  strictEqual(await visit.page.getByText("Payment received").count(), 0);
  strictEqual(await visit.balance(), "3");
});

testOnPage(
  "somebody without a link who comes back from a payment is told where it will show",
  async (start) => {
    const visit = await start(`${served.url}#payment=paid&order=order_RB58MiP5SPFYyM`);
    await visit.page.getByRole("heading", { name: "Open this page from the chat" }).waitFor();
    await visit.page.getByText("If it succeeded, the credits come by themselves").waitFor();
    const chat = visit.page.getByRole("link", { name: "Open WhatsApp" });
    strictEqual(await chat.getAttribute("href"), `https://wa.me/${BOT_NUMBER.slice(1)}`);
    await visit.assertAccessible();
  },
);

testOnPage("where Checkout is blocked, the page says so, and tries again", async (start) => {
  const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
  const { page } = visit;
  await page.route("**/checkout.js", (route) => route.abort());
  await page.getByRole("radio").first().check();
  await page.getByText("payment window did not load").waitFor();
  await visit.assertAccessible();
  await page.unroute("**/checkout.js");
  await page.getByRole("button", { name: "Try again" }).click();
  await visit.payButton().click();
  await page.frameLocator("iframe").getByRole("button", { name: "Leave" }).waitFor();
});

testOnPage(
  "a page that is offline says so, and goes on when it is back",
  async (start, context) => {
    const phone_number = newPhoneNumber();
    const visit = await start(await linkFor({ phone_number }));
    const { page } = visit;
    await visit.choose();
    await context.setOffline(true);
    await page.getByText("You are offline.").waitFor();
    await visit.assertAccessible();
    await context.setOffline(false);
    const checkout = await visit.openCheckout();

    await page.route("**/verify-payment", (route) => route.abort("internetdisconnected"));
    await checkout.getByRole("button", { name: "Pay ₹99" }).click();
    await visit.told("Checking your payment");
    await page.unroute("**/verify-payment");
    await visit.told("Payment received");

    // Also before anything has loaded.
    await page.route("**/functions/v1/**", (route) => route.abort("internetdisconnected"));
    await page.addInitScript(
      "Object.defineProperty(navigator, 'onLine', { get: () => globalThis.isOnline })",
    );
    await page.reload();
    await page.getByRole("heading", { name: "You are offline" }).waitFor();
    await visit.assertAccessible();
    await page.unroute("**/functions/v1/**");
    await page.evaluate("globalThis.isOnline = true; dispatchEvent(new Event('online'))");
    await page.locator(".balance").waitFor();
    strictEqual(await visit.balance(), "23");
  },
);

const refusals:
  readonly (readonly [string, RegExp, (act: () => Promise<void>) => Promise<void>])[] = [
    [
      "there are too many",
      /too many orders/,
      (act) => withLimit(backend.sql, "create_order", 0, act),
    ],
    [
      "the package is no longer for sale",
      /no longer for sale/,
      async (act) => {
        await backend.sql`update public.packages set is_active = false where id = 'starter'`;
        try {
          await act();
        } finally {
          await backend.sql`update public.packages set is_active = true where id = 'starter'`;
        }
      },
    ],
    [
      "Razorpay refuses it",
      /Razorpay cannot be reached/,
      async (act) => {
        await control.addFault({ kind: "500", method: "POST" });
        await act();
      },
    ],
  ];

for (const [reason, expected, under] of refusals) {
  testOnPage(`an order that is refused because ${reason} is explained`, async (start) => {
    const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
    const { page } = visit;
    await under(async () => {
      await page.getByRole("radio").first().check();
      await page.getByRole("status").filter({ hasText: expected }).waitFor();
    });
    await visit.assertAccessible();
    await page.getByRole("button", { name: "Try again" }).click();
    await visit.payButton().waitFor();
  });
}

testOnPage(
  "an account says what is reserved, what is owed, and that it is frozen",
  async (start) => {
    const phone_number = newPhoneNumber();
    const { checkout: { razorpay_payment_id } } = await buyCredits(
      control,
      phone_number,
      "starter",
    );
    const reserve = { phone_number, action: "video_generation", reference_id: "job-1" };
    dataOf(await call("POST", "bot-reserve", { body: reserve }));
    const reserved = await start(await linkFor({ phone_number }));
    strictEqual(await reserved.balance(), "23");
    await reserved.page.getByText("5 credits reserved for jobs under way").waitFor();
    await reserved.page.getByText("18 left to spend").waitFor();
    await reserved.assertAccessible();

    await spend(phone_number, "image_generation", 10);
    await control.refund(razorpay_payment_id, { deliver_webhooks: false });
    await settleOrder(await orderOf(phone_number));
    const owing = await start(await linkFor({ phone_number }));
    await owing.page.getByText(/^You owe 12 credits,/).waitFor();
    match((await owing.entries())[0] ?? "", /^Credits of a refunded payment rfnd_\w+ −8 /);
    await owing.assertAccessible();

    const [user] = await backend.sql`
    select id from public.users where phone_number = ${phone_number}`;
    const body = {
      user_id: user?.id,
      operator: "Asha",
      reason: "The customer asked for it",
      reference_id: crypto.randomUUID(),
    };
    dataOf(await call("POST", "freeze-user", { body, headers: operatorHeaders() }));
    const frozen = await start(await linkFor({ phone_number }));
    await frozen.page.getByText(/^This account is frozen/).waitFor();
    strictEqual(await frozen.page.getByRole("radio").count(), 0);
    await frozen.assertAccessible();
  },
);

testOnPage("the history says in words what each entry was, page by page", async (start) => {
  const phone_number = newPhoneNumber();
  for (let purchase = 0; purchase < 4; purchase++) {
    await buyCredits(control, phone_number, "starter");
  }
  for (let image = 0; image < 38; image++) await spend(phone_number, "image_generation");
  await spend(phone_number, "image_generation", 3);
  await spend(phone_number, "video_generation", 1);
  await spend(phone_number, "voice_message", 75);
  await spend(phone_number, "chat", 1_800);
  const visit = await start(await linkFor({ phone_number }));
  const { page } = visit;
  const newest = (await visit.entries()).slice(0, 5).map((text) =>
    text.replace(/ \d+ \w+ \d{4}, \d+:\d+ [ap]m/, "")
  );
  deepStrictEqual(newest, [
    "Chat, 1,800 tokens −2 minus 2 credits Balance 32",
    "Voice message, 75 seconds −3 minus 3 credits Balance 34",
    "Video −5 minus 5 credits Balance 37",
    "3 images −3 minus 3 credits Balance 42",
    "Image −1 minus 1 credit Balance 45",
  ]);
  await page.getByText("Entries: 20 of 47").waitFor();
  const older = page.getByRole("button", { name: "Show older entries" });
  await older.click();
  await page.getByText("Entries: 40 of 47").waitFor();
  strictEqual(
    await page.evaluate(
      "[...document.querySelectorAll('.entries li')].indexOf(document.activeElement)",
    ),
    20,
    "a reader goes on with the first of the new entries",
  );
  await older.click();
  await page.getByText("Entries: 47 of 47").waitFor();
  strictEqual(await older.count(), 0);
  match((await visit.entries()).at(-1) ?? "", /^Welcome gift /);
  await page.getByText("The numbers of this picture").click();
  strictEqual(await page.locator("tbody tr").count(), 48);
  await visit.assertAccessible();
  const picture = page.getByRole("img");
  match(await picture.locator("title").textContent() ?? "", /^Balance from .* to /);
  match(
    await picture.locator("desc").textContent() ?? "",
    /^Between 0 and 83 credits; 32 at the end\.$/,
  );
});

testOnPage(
  "a person who is known by a WhatsApp id alone sees everything, and is told to buy in the chat",
  async (start) => {
    const visit = await start(await linkFor({ whatsapp_user_id: newWhatsappId() }));
    strictEqual(await visit.balance(), "3");
    strictEqual((await visit.entries()).length, 1);
    await visit.page.getByText("Buy in the chat").waitFor();
    await visit.page.getByText("₹99").waitFor();
    strictEqual(await visit.page.getByRole("radio").count(), 0);
    await visit.assertAccessible();
  },
);

testOnPage("a link that has ended says how to get another one", async (start, context) => {
  const phone_number = newPhoneNumber();
  await context.clock.install();
  const visit = await start(await linkFor({ phone_number }));
  const { page } = visit;
  await page.clock.fastForward(26 * 60_000);
  await page.getByRole("status").filter({ hasText: /^This page closes at/ }).waitFor();
  await visit.assertAccessible();
  await endLinks(page);
  await page.getByRole("heading", { name: "This link has ended" }).waitFor();
  await page.locator(":focus", { hasText: /^This link has ended$/ }).waitFor();
  await page.getByText("To get a new one, write to the bot in WhatsApp.").waitFor();
  strictEqual(
    await page.getByRole("link", { name: "Open WhatsApp" }).getAttribute("href"),
    `https://wa.me/${BOT_NUMBER.slice(1)}`,
  );
  await visit.assertAccessible();

  // The next link is opened in the same tab, where only the part behind the "#" changes.
  await page.unroute("**/credit-history/**");
  await page.goto(await linkFor({ phone_number }));
  await page.locator(".balance").waitFor();
  strictEqual(await visit.balance(), "3");
});

testOnPage("a phone whose clock is fast opens a link and buys", async (start, context) => {
  await context.clock.install({ time: Date.now() + 31 * 60_000 });
  const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
  const { page } = visit;
  strictEqual(await visit.balance(), "3");
  strictEqual(await page.getByText("Open until").count(), 0);
  const asked = page.waitForResponse("**/credit-history/**");
  await page.clock.fastForward(60_000);
  await asked;
  const checkout = await visit.openCheckout();
  await checkout.getByRole("button", { name: "Pay ₹99" }).click();
  await visit.told("Payment received");
  await until("the balance has arrived", async () => await visit.balance() === "23");
});

const ends: readonly (readonly [string, (visit: Visit) => Promise<void>])[] = [
  ["You closed the payment window", async (visit) => await leave(await visit.openCheckout())],
  ["The payment failed", async (visit) => {
    const checkout = await visit.openCheckout();
    await checkout.getByRole("button", { name: "Fail" }).click();
    await checkout.getByText("You can try again.").waitFor();
    await leave(checkout);
  }],
  ["We cannot confirm this payment", async (visit) => {
    const checkout = await visit.openCheckout();
    await visit.page.route("**/verify-payment", async (route) => {
      const body = { ...route.request().postDataJSON(), razorpay_signature: "0".repeat(64) };
      await route.continue({ postData: JSON.stringify(body) });
    });
    await checkout.getByRole("button", { name: "Pay ₹99" }).click();
  }],
  ["Not confirmed yet", async (visit) => {
    const checkout = await visit.openCheckout();
    await visit.page.route("**/verify-payment", (route) => route.abort());
    await checkout.getByRole("button", { name: "Pay ₹99" }).click();
    await until("it has given up", async () => {
      await visit.page.clock.runFor(1_000);
      return await visit.page.getByRole("heading", { name: "Not confirmed yet" }).isVisible();
    });
  }],
];

for (const [title, act] of ends) {
  testOnPage(
    `"${title}" stays when the link ends, until it has been read`,
    async (start, context) => {
      await context.clock.install();
      const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
      const { page } = visit;
      await act(visit);
      const text = await visit.told(title);
      await endLinks(page);
      // The backend says it again and again, and the page knows.
      for (let time = 0; time < 2; time++) {
        const refused = page.waitForResponse((response) => response.status() === 401);
        await page.clock.fastForward(60_000);
        await refused;
      }
      strictEqual(await visit.told(title), text);
      await page.getByRole("button", { name: "Choose a package" }).click();
      await page.clock.fastForward(60_000);
      await page.getByRole("heading", { name: "This link has ended" }).waitFor();
    },
  );
}

testOnPage("a link that the backend does not accept shows nothing of an account", async (start) => {
  const link = new URL(await linkFor({ phone_number: newPhoneNumber() }));
  const fields = new URLSearchParams(link.hash.slice(1));
  fields.set("access_token", `${fields.get("access_token")}x`);
  link.hash = String(fields);
  const visit = await start(link.href);
  await visit.page.getByRole("heading", { name: "This link has ended" }).waitFor();
  strictEqual(await visit.page.locator(".balance, .entries").count(), 0);
});

testOnPage("a link to an account that was erased promises no credits", async (start) => {
  const phone_number = newPhoneNumber();
  const link = await linkFor({ phone_number });
  const user_id = new URLSearchParams(new URL(link).hash.slice(1)).get("user_id") ?? "";
  const answer = await call("POST", "erase-user", {
    headers: operatorHeaders(),
    body: { user_id, operator: "Asha", reason: "Asked for it", reference_id: phone_number },
  });
  strictEqual(answer.httpStatus, 200);
  const visit = await start(link);
  await visit.page.getByRole("heading", { name: "Open this page from the chat" }).waitFor();
  strictEqual(await visit.page.getByText("Your credits are safe").count(), 0);
});

testOnPage("somebody who has signed in needs no link", async (start, context) => {
  const phone_number = newPhoneNumber();
  const { authorization } = await signedIn(backend, phone_number);
  const access_token = authorization.replace("Bearer ", "");
  const fragment = new URLSearchParams({
    access_token,
    token_type: "bearer",
    refresh_token: "r",
    expires_in: "3600",
  });
  const visit = await start(`${served.url}#${fragment}`);
  strictEqual(visit.page.url(), served.url);
  strictEqual(await visit.balance(), "3");
  // What renews a session is nothing that the page needs.
  deepStrictEqual(
    await visit.page.evaluate("[...Object.keys(JSON.parse(sessionStorage.proof))]"),
    ["access_token"],
  );
  const checkout = await visit.openCheckout();
  await checkout.getByRole("button", { name: "Pay ₹99" }).click();
  await visit.told("Payment received");
  await visit.page.close();

  // As supabase-js keeps it for the other pages of this origin.
  const key = `sb-${new URL(backend.environment.SUPABASE_URL).hostname.split(".")[0]}-auth-token`;
  const session = JSON.stringify({ access_token, refresh_token: "r", token_type: "bearer" });
  await context.addInitScript(`localStorage[${JSON.stringify(key)}] = ${JSON.stringify(session)}`);
  const again = await start(served.url);
  strictEqual(await again.balance(), "23");
});

testOnPage("somebody who reads Hindi gets it, and can choose another language", async (start) => {
  const phone_number = newPhoneNumber();
  await spend(phone_number, "image_generation", 2);
  const link = await linkFor({ phone_number });
  const visit = await start(link);
  const { page } = visit;
  strictEqual(await page.evaluate("document.documentElement.lang"), "hi");
  match((await visit.entries())[0] ?? "", /^2 चित्र −2 /);
  await visit.assertAccessible();
  await page.getByRole("radio").first().check();
  await page.getByRole("button", { name: "₹99 का भुगतान करें" }).click();
  await page.frameLocator("iframe").getByRole("button", { name: "Pay ₹99" }).click();
  await page.getByRole("heading", { name: "भुगतान मिल गया" }).waitFor();
  await page.getByText("20 क्रेडिट जोड़े गए।").first().waitFor();
  await visit.assertAccessible();

  const english = page.getByRole("button", { name: "English" });
  await english.click();
  await visit.told("Payment received");
  strictEqual(await page.evaluate("document.documentElement.lang"), "en");
  strictEqual(await english.getAttribute("aria-pressed"), "true");
  await page.reload();
  await visit.loaded();
  strictEqual(await page.evaluate("document.documentElement.lang"), "en", "remembered");
  await page.goto(`${served.url}?lang=hi`);
  await visit.loaded();
  strictEqual(await page.title(), "आपके क्रेडिट · Image bot");
}, { locale: "hi-IN" });

testOnPage("what others write is shown as text, and fits", async (start, context) => {
  const hostile =
    `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
  const long = "W".repeat(200);
  await backend.sql`
    insert into public.packages (id, name, price, credits) values
      ('hostile', ${hostile}, 1, 1), ('long', ${long}, 123456.78, 1000000)`;
  await backend.sql`
    insert into public.action_prices (action_id, unit, credits, done_message) values
      ('pdf_summary', 'page', 1, 'Done.'), ('tostring', 'x', 1, 'Done.')`;
  try {
    const phone_number = newPhoneNumber();
    await spend(phone_number, "pdf_summary", 2);
    await spend(phone_number, "tostring");
    await context.route("**/config.json", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...await response.json(), seller_name: hostile } });
    });
    await context.route("**/credit-history/**", async (route) => {
      const response = await route.fetch();
      const body = await response.json();
      body.data.transactions[0].source = hostile;
      body.data.transactions.unshift({
        ...body.data.transactions[1],
        id: crypto.randomUUID(),
        source: "payment",
        action: "credit",
        reference_id: `${hostile}${long}`,
      });
      await route.fulfill({ response, json: body });
    });
    const visit = await start(await linkFor({ phone_number }));
    const { page } = visit;
    const entries = await visit.entries();
    ok(entries[0]?.startsWith(`Credits bought ${hostile}`), entries[0]);
    ok(entries[1]?.startsWith(hostile.replaceAll("_", " ")), entries[1]);
    match(entries[2] ?? "", /^Pdf summary × 2 /);
    strictEqual(await page.title(), `Your credits · ${hostile}`);
    await page.getByText(hostile).first().waitFor();
    strictEqual(await page.locator("img, main script").count(), 0);
    await visit.choose(/1 credit\b.*onerror/, "₹1");
    await visit.payButton("₹1").click();
    const checkout = page.frameLocator("iframe");
    await checkout.getByText(`${hostile}: 1 credit`).waitFor();
    await leave(checkout);
    await visit.told("You closed the payment window");
    for (const width of [320, 390, 1280]) {
      await page.setViewportSize({ width, height: 640 });
      await visit.assertFits();
    }
  } finally {
    await backend.sql`delete from public.payment_orders where package_id = 'hostile'`;
    await backend.sql`delete from public.packages where id in ('hostile', 'long')`;
  }
});

for (const locale of ["en-IN", "hi-IN"]) {
  testOnPage(`at 320 pixels everything fits and can be hit (${locale})`, async (start) => {
    const phone_number = newPhoneNumber();
    await spend(phone_number, "voice_message", 75);
    const visit = await start(await linkFor({ phone_number }));
    const { page } = visit;
    await visit.assertFits();
    const targets = page.locator("button, a, label, summary");
    for (const target of await targets.all()) {
      const { width, height } = await target.boundingBox() ?? { width: 0, height: 0 };
      ok(width >= 44 && height >= 44, `${await target.innerText()}: ${width} x ${height}`);
    }
    await page.getByRole("radio").first().check();
    await page.getByRole("button", { name: "₹99" }).waitFor();
    await visit.assertFits();
    await visit.assertNothingMoved();
  }, { viewport: { width: 320, height: 568 }, locale });
}

testOnPage("a purchase needs nothing but the keyboard", async (start) => {
  const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
  const { page } = visit;
  const press = async (key: string, times = 1) => {
    for (let time = 0; time < times; time++) await page.keyboard.press(key);
  };
  const focused = () =>
    page.evaluate<string>("document.activeElement.value || document.activeElement.textContent");
  await until("the first package has the focus", async () => {
    await press("Tab");
    return await focused() === "starter";
  });
  // The keys are pressed in quick succession, however busy this machine is.
  await page.clock.install();
  await page.clock.pauseAt(Date.now() + 60_000);
  for (const key of ["ArrowDown", "ArrowDown", "ArrowUp"]) {
    await press(key);
    await page.clock.runFor(200);
  }
  await page.clock.resume();
  strictEqual(await focused(), "popular");
  await press("Tab");
  await visit.payButton("₹299").waitFor();
  await press("Enter");
  await page.frameLocator("iframe").getByRole("button", { name: "Leave" }).waitFor();
  await press("Enter");
  await visit.told("Payment received");
  await page.locator(":focus", { hasText: /^Payment received$/ }).waitFor();
  await press("Tab");
  strictEqual(await focused(), "Buy more");
  await press("Enter");
  strictEqual(await focused(), "Buy credits");
  const orders = await backend.sql`
    select count(*)::integer as count from public.payment_orders where package_id = 'pro'`;
  strictEqual(orders[0]?.count, 0, "packages that the arrow keys pass are not ordered");
});

testOnPage(
  "where the packages do not load, the account is shown all the same",
  async (start, context) => {
    await context.route("**/rest/v1/packages*", (route) => route.abort());
    const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
    strictEqual(await visit.balance(), "3");
    const { page } = visit;
    const failure = page.getByText("The packages could not be loaded.");
    const again = page.getByRole("button", { name: "Try again" });
    await failure.waitFor();
    await visit.assertAccessible();

    // Another try that fails is seen to be made, and to fail.
    await context.unroute("**/rest/v1/packages*");
    const isOver = Promise.withResolvers<void>();
    let tries = 0;
    await context.route("**/rest/v1/packages*", async (route) => {
      tries++;
      await isOver.promise;
      await route.abort();
    });
    await again.click();
    await page.getByRole("status").filter({ hasText: "One moment" }).waitFor();
    // The button has the focus, and does nothing for now.
    await page.keyboard.press("Enter");
    await visit.assertAccessible();
    isOver.resolve();
    await failure.waitFor();
    strictEqual(tries, 1);

    await context.unroute("**/rest/v1/packages*");
    // The account is shown already, and needs nothing.
    await context.route("**/functions/v1/**", (route) => route.abort());
    await again.click();
    await page.getByRole("radio").first().waitFor();
    strictEqual(await page.evaluate("document.activeElement.textContent"), "Buy credits");
    strictEqual(await visit.balance(), "3");
  },
);

testOnPage(
  "packages that load while a payment is asked about stay there",
  async (start, context) => {
    const phone_number = newPhoneNumber();
    const { order, payment_id } = await beginPayment(phone_number);
    await context.route("**/rest/v1/packages*", (route) => route.abort());
    const visit = await start(await linkFor({ phone_number }));
    const { page } = visit;
    await visit.told("A payment is under way");
    await context.unroute("**/rest/v1/packages*");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("The packages could not be loaded.").waitFor({ state: "detached" });
    await control.capture(payment_id, { deliver_webhooks: false });
    await settleOrder(order);
    await visit.told("Payment received");
    await page.getByRole("button", { name: "Buy more" }).click();
    await visit.choose();
  },
);

testOnPage(
  "a backend that fails is told apart from a network that does",
  async (start, context) => {
    await context.route("**/functions/v1/**", (route) => route.fulfill({ status: 500, body: "?" }));
    const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
    await visit.page.getByRole("heading", { name: "Your account did not load" }).waitFor();
    await visit.assertAccessible();
    await context.unroute("**/functions/v1/**");
    const released = Promise.withResolvers<void>();
    await context.route("**/credit-history/**", async (route) => {
      await released.promise;
      await route.continue();
    });
    const again = visit.page.getByRole("button", { name: "Try again" });
    await again.click();
    await visit.page.locator("[aria-busy]").waitFor();
    strictEqual(await again.count(), 0, "one try at a time");
    released.resolve();
    await visit.page.locator(".balance").waitFor();
  },
);

testOnPage("a page of which a part does not load says so", async (_start, context) => {
  await context.route("**/assets/en-*.js", (route) => route.abort());
  const page = await context.newPage();
  await page.goto(served.url);
  await page.getByText("This page did not load.").waitFor();
});

testOnPage("a page without storage works for as long as it is open", async (start, context) => {
  await context.addInitScript(`for (const name of ["sessionStorage", "localStorage"]) {
    Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });
  }`);
  const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
  strictEqual(await visit.balance(), "3");
});

testInBrowser(browser, "what the page's policy stops would fail these tests", async (context) => {
  const files = await buildPage("account", pageConfiguration(backend.environment));
  const html = new TextDecoder().decode(files.get("index.html"));
  const inline = new TextEncoder().encode(html.replace("<body>", "<body><script>1</script>"));
  const tampered = servePage(new Map([...files, ["index.html", inline]]), {
    port: 0,
    setting: "ACCOUNT_PORT",
  });
  try {
    const visit = await Visit.start(context, tampered.url);
    throws(() => visit.assertNoComplaints(), /Content Security Policy/);
  } finally {
    await tampered.stop();
  }
});

testOnPage("lab figures", async (start, context) => {
  const visit = await start(await linkFor({ phone_number: newPhoneNumber() }));
  await visit.page.close();
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 150,
    downloadThroughput: 1.6e6 / 8,
    uploadThroughput: 0.75e6 / 8,
  });
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  await page.addInitScript(`
    new PerformanceObserver((list) => { globalThis.lcp = list.getEntries().at(-1).startTime; })
      .observe({ type: "largest-contentful-paint", buffered: true });
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      globalThis.longest = Math.max(globalThis.longest, ...list.getEntries().map((e) => e.duration));
    }).observe({ type: "longtask", buffered: true });`);
  const beginning = Date.now();
  await page.goto(await linkFor({ phone_number: newPhoneNumber() }));
  await page.locator(".balance").waitFor();
  const balance = Date.now() - beginning;
  const [lcp, longest] = await page.evaluate<[number, number]>("[lcp, longest]");
  const size = compressedSize(await buildPage("account", pageConfiguration(backend.environment)));
  console.log(
    `1.6 Mbit/s, 150 ms, CPU / 4: LCP ${Math.round(lcp)} ms, balance after ${balance} ms, ` +
      `longest task ${Math.round(longest)} ms; ${size} of ${BUDGET_BYTES.account} bytes`,
  );
});

/** Orders a package elsewhere, and pays it so far that the bank has only authorized the payment. */
async function beginPayment(phone: string) {
  const order = await orderPackage(phone, "starter");
  const { razorpay_payment_id: payment_id } = await control.payOrder(order, {
    outcome: "authorized",
    deliver_webhooks: false,
  });
  // As a webhook that tells of the authorized payment would.
  await backend.sql`
    select public.settle_payment(${order}, ${payment_id}, 'authorized', 9900, 'INR', '[]')`;
  return { order, payment_id };
}

/** Lets the half hour of a link pass, for the page and for the backend. Needs an installed clock. */
async function endLinks(page: Page): Promise<void> {
  await page.route("**/credit-history/**", (route) => route.fulfill(EXPIRED_LINK));
  await page.clock.fastForward(31 * 60_000);
}

/** Waits until the page shows what it has received. */
async function settled({ page }: Visit): Promise<void> {
  await page.evaluate(
    `new Promise((shown) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = shown;
      port2.postMessage("");
    })`,
  );
}

/** Leaves Checkout without paying, and confirms it. */
async function leave(checkout: FrameLocator): Promise<void> {
  await checkout.getByRole("button", { name: "Leave" }).click();
  await checkout.getByRole("button", { name: "Yes, leave" }).click();
}

/** Opens Checkout from a page that shows something about a payment. */
async function openAgain(visit: Visit) {
  await visit.page.getByRole("button", { name: "Choose a package" }).click();
  return await visit.openCheckout();
}
