/**
 * The stand-in's own Checkout in a real browser, on a seller's page with a strict
 * Content-Security-Policy.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { BrowserContext, Frame, Page } from "playwright-core";
import { checkoutSources } from "../../local/razorpay/checkout-window.ts";
import type { StandInSettings } from "../../local/razorpay/settings.ts";
import { assertAccessible, openBrowser, testInBrowser } from "../support/browser.ts";
import { first } from "../support/lists.ts";
import { type RazorpayFixture, withRazorpay, withReceiver } from "../support/razorpay-fixture.ts";
import { signCheckout } from "../support/signing.ts";
import { until } from "../../local/system/until.ts";

const browser = await openBrowser();
Deno.test.afterAll(() => browser?.close());

const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 " +
  "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
const PAID = ["payment.authorized", "payment.captured", "order.paid"];

/** What a test passes to Checkout besides the callbacks. */
type Options = Record<string, unknown>;

/** What a page's script reports: what Checkout told the page, and what the page's policy stopped. */
interface Report {
  readonly event: "paid" | "failed" | "dismissed" | "blocked" | "thrown";
  // The tests read several shapes, and reading a wrong one fails an assertion.
  // deno-lint-ignore no-explicit-any
  readonly detail: any;
}

const PAGE_SCRIPT = `
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    report({ event: "blocked", detail: violatedDirective + " " + blockedURI }));
  let checkout;
  function buy({ handles, ...options }) {
    try {
      checkout = new Razorpay({
        ...options,
        ...(handles !== false && { handler: (detail) => report({ event: "paid", detail }) }),
        modal: {
          ...options.modal,
          ondismiss: (detail) => report({ event: "dismissed", detail: detail ?? null }),
        },
      });
      checkout.on("payment.failed", (detail) => report({ event: "failed", detail })).open();
    } catch ({ message }) {
      report({ event: "thrown", detail: message });
    }
  }
  document.querySelector("button").addEventListener("click", () => buy(purchase));`;

/** A seller with a page, a server that takes `callback_url`, and a webhook. */
interface Shop {
  readonly razorpay: RazorpayFixture;
  readonly orderId: string;
  readonly page: Page;
  readonly reports: Report[];
  /** The forms that came to `callbackUrl`. */
  readonly forms: Record<string, string>[];
  readonly callbackUrl: string;
  readonly webhooks: () => string[];
  /** Presses the page's button, which opens Checkout, and returns Checkout's window in its frame. */
  buy(options?: Options): Promise<Frame>;
  /** Presses the page's button where Checkout does not open in a frame. */
  press(options?: Options): Promise<void>;
}

function serve(respond: (request: Request) => Response | Promise<Response>) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, respond);
  return { server, origin: `http://127.0.0.1:${server.addr.port}` };
}

async function withShop(
  context: BrowserContext,
  test: (shop: Shop) => Promise<void>,
  settings: Partial<StandInSettings> = {},
): Promise<void> {
  await withReceiver(() => 200, ({ url, deliveries }) =>
    withRazorpay(async (razorpay) => {
      const forms: Record<string, string>[] = [];
      // Another origin than the page's, as the functions are.
      const callback = serve(async (request) => {
        forms.push(Object.fromEntries(new URLSearchParams(await request.text())));
        return new Response(null, { status: 303, headers: { location: `${shop.origin}/#back` } });
      });
      const sources = checkoutSources(razorpay.url);
      const policy = [
        "default-src 'none'",
        `script-src 'self' ${sources["script-src"]}`,
        `frame-src ${sources["frame-src"]}`,
        `form-action 'self' ${sources["form-action"]} ${callback.origin}`,
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ].join("; ");
      const shop = serve((request) =>
        new URL(request.url).pathname === "/page.js"
          ? new Response(PAGE_SCRIPT, { headers: { "content-type": "text/javascript" } })
          : new Response(
            `<!doctype html><html lang="en"><title>Shop</title><main><h1>Shop</h1>
             <button>Buy</button></main><script src="${razorpay.url}/v1/checkout.js"></script>
             <script src="/page.js"></script>`,
            { headers: { "content-type": "text/html", "content-security-policy": policy } },
          )
      );
      try {
        const reports: Report[] = [];
        await context.exposeFunction("report", (report: Report) => reports.push(report));
        const page = await context.newPage();
        await page.goto(shop.origin);
        const orderId = await newOrder(razorpay);
        const press = async (options: Options = {}) => {
          const purchase = { ...goods(razorpay, orderId), ...options };
          await page.evaluate(`globalThis.purchase = ${JSON.stringify(purchase)}`);
          await page.getByRole("button", { name: "Buy" }).click();
        };
        await test({
          razorpay,
          orderId,
          page,
          reports,
          forms,
          callbackUrl: `${callback.origin}/return`,
          webhooks: () => deliveries.map(({ event }) => event),
          press,
          async buy(options) {
            await press(options);
            const element = await page.waitForSelector("iframe");
            const frame = await element.contentFrame();
            ok(frame);
            await frame.getByRole("button", { name: "Leave" }).waitFor();
            return frame;
          },
        });
        deepStrictEqual(reports.filter(({ event }) => event === "blocked"), []);
      } finally {
        await shop.server.shutdown();
        await callback.server.shutdown();
      }
    }, { webhookUrl: url, settings }));
}

async function newOrder(razorpay: RazorpayFixture): Promise<string> {
  const { body } = await razorpay.call("POST", "/v1/orders", { amount: 9_900, currency: "INR" });
  return body.id;
}

function goods(razorpay: RazorpayFixture, orderId: string): Options {
  return {
    key: razorpay.keyId,
    order_id: orderId,
    amount: 9_900,
    currency: "INR",
    name: "Image bot",
    description: "20 <b>credits</b></script>",
    prefill: { contact: "+919876543210" },
    theme: { color: "#0a7" },
  };
}

function button(frame: Frame | Page, name: string) {
  return frame.getByRole("button", { name, exact: true });
}

/** Waits for the next report and returns it. */
async function nextReport(reports: Report[]): Promise<Report> {
  await until("the page has been told something", () => Promise.resolve(reports.length > 0));
  const report = reports.shift();
  ok(report);
  return report;
}

function assertSigned(razorpay: RazorpayFixture, orderId: string, paid: Record<string, string>) {
  deepStrictEqual(Object.keys(paid).sort(), [
    "razorpay_order_id",
    "razorpay_payment_id",
    "razorpay_signature",
  ]);
  strictEqual(paid.razorpay_order_id, orderId);
  const { razorpay_payment_id = "", razorpay_signature } = paid;
  strictEqual(razorpay_signature, signCheckout(orderId, razorpay_payment_id, razorpay.keySecret));
}

async function statusOf(razorpay: RazorpayFixture, orderId: string): Promise<string> {
  return (await razorpay.call("GET", `/v1/orders/${orderId}`)).body.status;
}

function focused(page: Page | Frame): Promise<unknown> {
  return page.evaluate("document.activeElement.id || document.activeElement.tagName");
}

function testInShop(
  name: string,
  test: (shop: Shop) => Promise<void>,
  settings: Partial<StandInSettings> = {},
): void {
  testInBrowser(browser, name, (context) => withShop(context, test, settings));
}

testInShop(
  "a customer pays in the window, and the page gets a signature that verifies",
  async (shop) => {
    const { razorpay, orderId, page, reports } = shop;
    const window = await shop.buy();
    const text = await window.locator("main").innerText();
    match(text, /Stand-in for Razorpay: no real money/);
    match(text, /Image bot\s+20 <b>credits<\/b><\/script>\s+₹99\s+\+919876543210/);

    await button(window, "Pay ₹99").click();
    const { event, detail } = await nextReport(reports);
    strictEqual(event, "paid");
    assertSigned(razorpay, orderId, detail);
    await razorpay.control.webhooksDelivered();
    deepStrictEqual(shop.webhooks(), PAID);
    const { body } = await razorpay.call("GET", `/v1/payments/${detail.razorpay_payment_id}`);
    strictEqual(body.contact, "+919876543210");

    strictEqual(await page.locator("dialog").count(), 0);
    strictEqual(await focused(page), "BUTTON");
    deepStrictEqual(reports, []);
  },
);

testInShop(
  "after a failed payment Checkout stays open, and the customer tries again",
  async (shop) => {
    const { razorpay, orderId, reports } = shop;
    const window = await shop.buy();
    await button(window, "Fail").click();
    const { event, detail } = await nextReport(reports);
    strictEqual(event, "failed");
    const { code, description, source, step, reason, metadata } = detail.error;
    deepStrictEqual({ code, description, source, step, reason }, {
      code: "BAD_REQUEST_ERROR",
      description: "Payment failed",
      source: "issuer",
      step: "payment_authorization",
      reason: "payment_failed",
    });
    strictEqual(metadata.order_id, orderId);
    match(metadata.payment_id, /^pay_/);
    strictEqual(
      await window.getByRole("alert").innerText(),
      "Payment failed. You can try again.",
    );
    await assertAccessible(window);

    await button(window, "Pay ₹99").click();
    const success = await nextReport(reports);
    strictEqual(success.event, "paid");
    assertSigned(razorpay, orderId, success.detail);
  },
);

testInShop(
  "without retry, a failed payment is the last, and its error is the reason",
  async (shop) => {
    const window = await shop.buy({ retry: { enabled: false } });
    await button(window, "Fail").click();
    const failure = await nextReport(shop.reports);
    strictEqual(failure.event, "failed");
    strictEqual(await window.getByRole("button").count(), 1);
    await button(window, "Leave").click();
    deepStrictEqual(await nextReport(shop.reports), { ...failure, event: "dismissed" });
  },
);

testInShop(
  "a customer leaves: by the button, by Escape, and if asked, after a second thought",
  async (shop) => {
    const { page, reports, razorpay, orderId } = shop;
    const dismissed = { event: "dismissed", detail: null };
    await button(await shop.buy(), "Leave").click();
    deepStrictEqual(await nextReport(reports), dismissed);
    strictEqual(await focused(page), "BUTTON");

    await shop.buy();
    await page.keyboard.press("Escape");
    deepStrictEqual(await nextReport(reports), dismissed);

    const window = await shop.buy({ modal: { confirm_close: true, backdropclose: true } });
    await page.keyboard.press("Escape");
    await window.getByRole("dialog").waitFor();
    await assertAccessible(window);
    await page.keyboard.press("Escape");
    await window.getByRole("dialog").waitFor({ state: "hidden" });
    await page.mouse.click(5, 5);
    await button(window, "No, stay").click();
    await button(window, "Leave").click();
    await button(window, "Yes, leave").click();
    deepStrictEqual(await nextReport(reports), dismissed);

    const stubborn = await shop.buy({ modal: { escape: false } });
    await page.keyboard.press("Escape");
    await page.mouse.click(5, 5);
    await page.keyboard.press("Escape");
    ok(await button(stubborn, "Pay ₹99").isVisible());
    await page.evaluate("checkout.close()");
    deepStrictEqual(await nextReport(reports), dismissed);
    strictEqual(await page.locator("dialog").count(), 0);
    deepStrictEqual(reports, []);
    strictEqual(await statusOf(razorpay, orderId), "created");
  },
);

testInShop("Checkout closes when its time is up, and says why", async (shop) => {
  await shop.press({ timeout: 0.2 });
  deepStrictEqual(await nextReport(shop.reports), { event: "dismissed", detail: "timeout" });
});

testInShop("a customer pays later: the page is gone when the webhook comes", async (shop) => {
  const { razorpay, orderId, reports, page } = shop;
  const window = await shop.buy();
  await button(window, "Pay later").click();
  deepStrictEqual(await nextReport(reports), { event: "dismissed", detail: null });
  const { body } = await razorpay.call("GET", `/v1/orders/${orderId}/payments`);
  deepStrictEqual(body.items.map(({ status }: { status: string }) => status), ["created"]);
  deepStrictEqual(shop.webhooks(), []);
  await page.close();
  await until("the bank says yes", () => Promise.resolve(shop.webhooks().length === PAID.length));
  deepStrictEqual(shop.webhooks(), PAID);
  strictEqual(await statusOf(razorpay, orderId), "paid");
}, { late_approval_ms: 3_000 });

testInShop("a late approval of an order that was paid meanwhile is refunded", async (shop) => {
  await button(await shop.buy(), "Pay later").click();
  strictEqual((await nextReport(shop.reports)).event, "dismissed");
  await shop.razorpay.control.payOrder(shop.orderId, { outcome: "captured" });
  await until("the refund is told", () => {
    return Promise.resolve(shop.webhooks().includes("refund.processed"));
  });
}, { late_approval_ms: 2_000 });

testInShop(
  "a tab that is closed right after the payment: the webhook comes all the same",
  async (shop) => {
    const { razorpay, orderId, page } = shop;
    const window = await shop.buy();
    const answered = page.waitForResponse(/\/v1\/checkout\/pay$/);
    await button(window, "Pay ₹99").click();
    await answered;
    await page.close();
    await until("the webhook comes", () => Promise.resolve(shop.webhooks().includes("order.paid")));
    strictEqual(await statusOf(razorpay, orderId), "paid");
  },
);

testInBrowser(
  browser,
  "on an iPhone Checkout leaves the page, and comes back with a form and a signature",
  (context) =>
    withShop(context, async (shop) => {
      const { razorpay, orderId, page, forms } = shop;
      await shop.press({ callback_url: shop.callbackUrl });
      await page.waitForURL(/\/v1\/checkout\/hosted$/);
      await assertAccessible(page);
      await button(page, "Fail").click();
      await page.getByText("Payment failed. You can try again.").waitFor();
      deepStrictEqual(forms, []);
      await button(page, "Pay ₹99").click();
      await page.waitForURL(/#back$/);
      strictEqual(forms.length, 1);
      assertSigned(razorpay, orderId, first(forms));
      deepStrictEqual(shop.reports, []);
    }),
  { userAgent: IPHONE },
);

testInBrowser(
  browser,
  "an iPhone stays on a page that has no callback_url",
  (context) =>
    withShop(context, async (shop) => {
      await button(await shop.buy(), "Pay ₹99").click();
      strictEqual((await nextReport(shop.reports)).event, "paid");
    }),
  { userAgent: IPHONE },
);

testInShop(
  "redirect: true leaves the page everywhere, and Leave and Pay later go back to it",
  async (shop) => {
    const { razorpay, orderId, page } = shop;
    const { origin } = new URL(page.url());
    for (const name of ["Leave", "Pay later"]) {
      await shop.press({ callback_url: shop.callbackUrl, redirect: true });
      await page.waitForURL(/\/v1\/checkout\/hosted$/);
      await button(page, name).click();
      // Until the page has loaded, its button does nothing.
      await page.waitForURL(`${origin}/**`);
    }
    await until("the bank says yes", async () => await statusOf(razorpay, orderId) === "paid");
    deepStrictEqual(shop.forms, []);
  },
  { late_approval_ms: 0 },
);

testInShop("with retry: false a failed payment posts its error to callback_url", async (shop) => {
  const { page, orderId, forms } = shop;
  await shop.press({ callback_url: shop.callbackUrl, redirect: true, retry: false });
  await button(page, "Fail").click();
  await page.waitForURL(/#back$/);
  const { "error[metadata]": metadata = "", ...fields } = first(forms);
  deepStrictEqual(fields, {
    "error[code]": "BAD_REQUEST_ERROR",
    "error[description]": "Payment failed",
    "error[source]": "issuer",
    "error[step]": "payment_authorization",
    "error[reason]": "payment_failed",
  });
  const { payment_id, ...others } = JSON.parse(metadata);
  match(payment_id, /^pay_/);
  deepStrictEqual(others, { order_id: orderId });
});

testInShop("a page without a handler posts the payment to callback_url itself", async (shop) => {
  const { razorpay, orderId, page, forms } = shop;
  const window = await shop.buy({ callback_url: shop.callbackUrl, handles: false });
  await button(window, "Pay ₹99").click();
  await page.waitForURL(/#back$/);
  assertSigned(razorpay, orderId, first(forms));
});

testInShop("an order that cannot be paid and a wrong key are said in the window", async (shop) => {
  const { razorpay, orderId, page, reports } = shop;
  const paid = await newOrder(razorpay);
  await razorpay.control.payOrder(paid, { outcome: "captured" });
  const cases = [
    [{ order_id: "order_AAAAAAAAAAAAAA" }, "The id provided does not exist"],
    [{ order_id: "nothing" }, "nothing is not a valid id"],
    [{ order_id: paid }, "Your payment has been declined as the order is already paid."],
    [{ key: "rzp_test_AAAAAAAAAAAAAA" }, "Authentication failed"],
  ] as const;
  for (const [options, reason] of cases) {
    const window = await shop.buy(options);
    const alert = await window.getByRole("alert").innerText();
    strictEqual(alert, `Something went wrong. ${reason}`);
    strictEqual(await window.getByRole("button").count(), 1);
    await assertAccessible(window);
    await page.keyboard.press("Enter");
    deepStrictEqual(await nextReport(reports), { event: "dismissed", detail: null });
  }

  await shop.press({ callback_url: shop.callbackUrl, redirect: true, order_id: paid });
  await button(page, "Leave").click();
  await page.waitForURL(/#back$/);
  match(first(shop.forms)["error[description]"] ?? "", /already paid/);
  strictEqual(await statusOf(razorpay, orderId), "created");
});

testInShop("an order that is paid while the window is open is not paid again", async (shop) => {
  const { razorpay, orderId, reports } = shop;
  const window = await shop.buy();
  await razorpay.control.payOrder(orderId, { outcome: "captured" });
  await button(window, "Pay ₹99").click();
  const { event, detail } = await nextReport(reports);
  strictEqual(event, "failed");
  match(detail.error.description, /already paid/);
  strictEqual(await window.getByRole("button").count(), 1);
  await razorpay.control.webhooksDelivered();
  deepStrictEqual(shop.webhooks(), PAID);
});

testInShop("options that Razorpay does not take are thrown at the page", async (shop) => {
  const cases = [
    [{ key: "" }, "No key passed"],
    [{ amount: undefined }, /^Invalid amount/],
    [{ amount: 99.5 }, /^Invalid amount/],
    [{ amount: 99 }, /^Invalid amount/],
  ] as const;
  for (const [options, message] of cases) {
    await shop.press(options);
    const { event, detail } = await nextReport(shop.reports);
    strictEqual(event, "thrown");
    if (typeof message === "string") strictEqual(detail, message);
    else match(detail, message);
  }
});

testInShop("no page but the window can pay", async (shop) => {
  const { razorpay, orderId, page } = shop;
  const body = JSON.stringify({ key_id: razorpay.keyId, order_id: orderId, outcome: "captured" });
  const url = `${razorpay.url}/v1/checkout/pay`;
  const { port } = new URL(razorpay.url);
  const origins = [
    undefined,
    "null",
    "https://evil.example",
    new URL(page.url()).origin,
    `http://localhost:${port}`,
    `https://127.0.0.1:${port}`,
  ];
  for (const origin of origins) {
    const headers = { "content-type": "application/json", ...(origin && { origin }) };
    const response = await fetch(url, { method: "POST", headers, body });
    strictEqual(`${origin} ${response.status}`, `${origin} 403`);
    await response.body?.cancel();
  }
  const asForm = await fetch(url, { method: "POST", headers: { origin: razorpay.url }, body });
  strictEqual(asForm.status, 415);
  await asForm.body?.cancel();
  const form = new URLSearchParams({ key_id: razorpay.keyId, order_id: orderId, options: "{}" });
  for (const [origin, status] of [["https://evil.example", 403], [razorpay.url, 400]] as const) {
    const response = await fetch(`${razorpay.url}/v1/checkout/hosted`, {
      method: "POST",
      headers: { origin },
      body: form,
    });
    strictEqual(response.status, status);
    await response.body?.cancel();
  }

  // In the browser, from a page without a policy and with whatever content type needs no preflight.
  await page.goto("about:blank");
  for (const mode of ["cors", "no-cors"]) {
    for (const type of ["application/json", "text/plain"]) {
      const init = { method: "POST", mode, headers: { "content-type": type }, body };
      await page.evaluate(
        `fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}).catch(() => {})`,
      );
    }
  }
  strictEqual(await statusOf(razorpay, orderId), "created");

  const framed = await fetch(`${razorpay.url}/v1/checkout/window`);
  match(
    framed.headers.get("content-security-policy") ?? "",
    /frame-ancestors http:\/\/127\.0\.0\.1:\* [^;]*$/,
  );
  await framed.body?.cancel();
});

for (const colorScheme of ["light", "dark"] as const) {
  testInBrowser(
    browser,
    `the window fits a screen of 320 px, keeps the focus and is accessible when ${colorScheme}`,
    (context) =>
      withShop(context, async (shop) => {
        const { page } = shop;
        const window = await shop.buy();
        await assertAccessible(window);
        await assertAccessible(page);
        strictEqual(await focused(window), "pay");
        ok(await window.evaluate("document.documentElement.scrollWidth <= 320"));
        const reached: unknown[] = [];
        for (let press = 0; press < 5; press++) {
          await page.keyboard.press("Tab");
          strictEqual(await focused(page), "IFRAME");
          reached.push(await focused(window));
        }
        deepStrictEqual(reached, ["fail", "later", "leave", "pay", "fail"]);
        await page.keyboard.press("Shift+Tab");
        await page.keyboard.press("Shift+Tab");
        strictEqual(await focused(window), "leave");
        await page.keyboard.press("Enter");
        strictEqual((await nextReport(shop.reports)).event, "dismissed");
        strictEqual(await focused(page), "BUTTON");
      }),
    { colorScheme, viewport: { width: 320, height: 480 } },
  );
}
