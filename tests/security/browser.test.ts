/**
 * The functions as a page in a browser reaches them: supabase-js in a real Chromium, on a page that
 * is served from another origin. Only a browser enforces CORS.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { Page } from "playwright-core";
import { z } from "zod";
import { startBackend } from "../support/backend.ts";
import { startBrowser, testInBrowser as testInContext } from "../support/browser.ts";
import { withEnvironment } from "../support/environment.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { cameByLink, signedIn } from "../support/proofs.ts";
import { first } from "../support/lists.ts";
import { withLimit } from "../support/rate-limits.ts";

const backend = await startBackend();
const shop = await serveShop();
const browser = await startBrowser();

Deno.test.afterAll(async () => {
  await browser?.close();
  await shop.server.shutdown();
  await backend.stop();
});

/** Serves a page with supabase-js as its package ships it for browsers. */
async function serveShop() {
  const package_ = import.meta.resolve("@supabase/supabase-js");
  const library = await Deno.readTextFile(new URL("umd/supabase.js", package_));
  const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY } = backend.environment;
  const page = `<!doctype html><title>Shop</title><script src="/supabase.js"></script><script>
    const { functions } = supabase.createClient("${SUPABASE_URL}", "${SUPABASE_PUBLISHABLE_KEY}");
    async function invoke(path, options) {
      const { data, error } = await functions.invoke(path, options);
      if (!error) return data;
      if (!(error.context instanceof Response)) return { name: error.name };
      const { status, headers } = error.context;
      return {
        name: error.name,
        status,
        retryAfter: headers.get("retry-after"),
        requestId: headers.get("x-request-id"),
        body: await error.context.json(),
      };
    }
  </script>`;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const isLibrary = new URL(request.url).pathname === "/supabase.js";
    return new Response(isLibrary ? library : page, {
      headers: { "content-type": isLibrary ? "text/javascript" : "text/html" },
    });
  });
  return { server, origin: `http://127.0.0.1:${server.addr.port}` };
}

/** What a page may pass to `functions.invoke`. */
interface InvokeOptions {
  readonly method?: "GET" | "POST";
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly region?: string;
}

/** Calls a function as a page does. */
type Invoke = (path: string, options?: InvokeOptions) => Promise<unknown>;

/** A test in a browser context of its own, as a shared one would also share cached preflights. */
function testInBrowser(name: string, act: (invoke: Invoke) => Promise<void>): void {
  testInContext(browser, name, async (context) => {
    const page = await context.newPage();
    await page.goto(shop.origin);
    await act((path, options) => invoke(page, path, options));
  });
}

function invoke(page: Page, path: string, options: InvokeOptions = {}): Promise<unknown> {
  return page.evaluate(`invoke(${JSON.stringify(path)}, ${JSON.stringify(options)})`);
}

const UNREADABLE = { name: "FunctionsFetchError" };
const profileAnswer = z.object({
  message: z.literal("User profile retrieved successfully"),
  data: z.object({ id: z.uuid(), phone_number: z.string(), credits: z.int() }),
});
const historyAnswer = z.object({ data: z.object({ total: z.int() }) });
const orderAnswer = z.object({ data: z.object({ order_id: z.string(), amount: z.int() }) });
const verifiedAnswer = z.object({ data: z.object({ remaining_credits: z.int().optional() }) });
const errorAnswer = z.object({
  name: z.literal("FunctionsHttpError"),
  status: z.int(),
  retryAfter: z.string().nullable(),
  requestId: z.string(),
  body: z.strictObject({ status: z.literal("ERROR"), message: z.string(), code: z.string() }),
});

async function readProfile(invoke: Invoke, phone: string, options: InvokeOptions = {}) {
  const answer = await invoke(`users/${phone}`, { method: "GET", ...options });
  return profileAnswer.parse(answer).data;
}

async function buyPackage(invoke: Invoke, phone_number: string) {
  const package_id = "starter";
  const body = { phone_number, package_id };
  const order = orderAnswer.parse(await invoke("create-order", { body })).data;
  strictEqual(order.amount, 9_900);
  const checkout = await backend.razorpay.control.payOrder(order.order_id, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  const verification = { ...checkout, ...body };
  return verifiedAnswer.parse(await invoke("verify-payment", { body: verification })).data;
}

testInBrowser("the page has another origin and the library", async (invoke) => {
  ok(shop.origin !== backend.environment.SUPABASE_URL);
  strictEqual((await readProfile(invoke, newPhoneNumber())).credits, 3);
});

for (const origins of ["*", shop.origin, `https://shop.example, ${shop.origin}`]) {
  const allowed = origins.replace(shop.origin, "its own origin");
  testInBrowser(
    `a page buys credits and reads them where ${allowed} is allowed`,
    async (invoke) => {
      await withEnvironment({ ALLOWED_ORIGINS: origins }, async () => {
        const phone = newPhoneNumber();
        const { id } = await readProfile(invoke, phone);
        strictEqual((await buyPackage(invoke, phone)).remaining_credits, 23);
        const history = await invoke(`credit-history/${id}?limit=50`, { method: "GET" });
        strictEqual(historyAnswer.parse(history).data.total, 2);
        strictEqual((await readProfile(invoke, phone, { region: "ap-south-1" })).credits, 23);
      });
    },
  );
}

testInBrowser("a page reads the body and the headers of an error", async (invoke) => {
  const refusals = [
    await invoke("create-order", { body: {} }),
    await invoke("create-order", { body: { package_id: "none", phone_number: newPhoneNumber() } }),
    await invoke("users/nobody", { method: "GET" }),
    await invoke(`credit-history/${crypto.randomUUID()}`, { method: "GET" }),
    await invoke("verify-payment", { body: "{" }),
    await invoke("create-order", { method: "GET" }),
    await invoke("create-order", { body: { package_id: "a".repeat(20_000) } }),
  ].map((refusal) => errorAnswer.parse(refusal));
  deepStrictEqual(refusals.map(({ status, body }) => `${status} ${body.code}`), [
    "400 MISSING_FIELD",
    "404 PACKAGE_NOT_FOUND",
    "400 INVALID_REQUEST",
    "404 USER_NOT_FOUND",
    "400 INVALID_JSON",
    "405 METHOD_NOT_ALLOWED",
    "413 BODY_TOO_LARGE",
  ]);
  strictEqual(first(refusals).body.message, "Package ID and phone number are required");
  strictEqual(new Set(refusals.map(({ requestId }) => requestId)).size, refusals.length);
});

testInBrowser("a rate-limited page can read when to retry", async (invoke) => {
  await withLimit(backend.sql, "create_user", 0, async () => {
    const refusal = errorAnswer.parse(await invoke(`users/${newPhoneNumber()}`, { method: "GET" }));
    strictEqual(`${refusal.status} ${refusal.body.code}`, "429 RATE_LIMITED");
    match(refusal.retryAfter ?? "", /^[1-9][0-9]*$/);
  });
});

testInBrowser(
  "a page proves a phone number by a session and by a link from the chat",
  async (invoke) => {
    const phone = newPhoneNumber();
    const proofs = [await cameByLink(phone), await signedIn(backend, phone)];
    await withEnvironment({ FRONTEND_ACCESS: "phone-proof" }, async () => {
      for (const headers of proofs) {
        const { id, phone_number } = await readProfile(invoke, phone, { headers });
        strictEqual(phone_number, phone);
        const history = await invoke(`credit-history/${id}`, { method: "GET", headers });
        strictEqual(historyAnswer.parse(history).data.total, 1);
      }
      const visitor = errorAnswer.parse(await invoke(`users/${phone}`, { method: "GET" }));
      strictEqual(`${visitor.status} ${visitor.body.code}`, "401 PROOF_REQUIRED");
      const headers = await cameByLink(phone);
      const stranger = await invoke(`users/${newPhoneNumber()}`, { method: "GET", headers });
      strictEqual(errorAnswer.parse(stranger).body.code, "NOT_THE_OWNER");
    });
  },
);

for (const origins of [undefined, "https://shop.example", `${shop.origin}0`]) {
  const allowed = origins?.replace(`${shop.origin}0`, "a look-alike of its origin") ?? "nothing";
  testInBrowser(`a page reads and causes nothing where ${allowed} is allowed`, async (invoke) => {
    const phone_number = newPhoneNumber();
    await withEnvironment({ ALLOWED_ORIGINS: origins }, async () => {
      const body = { package_id: "starter", phone_number };
      const answers = [
        await invoke(`users/${phone_number}`, { method: "GET" }),
        await invoke(`credit-history/${crypto.randomUUID()}`, { method: "GET" }),
        await invoke("create-order", { body }),
        await invoke("verify-payment", { body }),
      ];
      for (const answer of answers) deepStrictEqual(answer, UNREADABLE);
    });
    const users = await backend.sql`select from public.users where phone_number = ${phone_number}`;
    strictEqual(users.length, 0);
  });
}

testInBrowser(
  "a page cannot act as the bot or the operator, even with their secrets",
  async (invoke) => {
    const { BOT_SECRET, SUPABASE_SECRET_KEY } = backend.environment;
    const phone = newPhoneNumber();
    const body = { phone_number: phone, package_id: "starter" };
    await withEnvironment({ ALLOWED_ORIGINS: `*, ${shop.origin}` }, async () => {
      const asBot = { headers: { "x-bot-secret": BOT_SECRET } };
      const asOperator = { headers: { apikey: SUPABASE_SECRET_KEY } };
      const answers = [
        await invoke(`bot-credits/${phone}`, { method: "GET", ...asBot }),
        await invoke("bot-deduct", { body, ...asBot }),
        await invoke("bot-link", { body, ...asBot }),
        await invoke("bot-payment-link", { body, ...asBot }),
        await invoke(`users/${phone}`, { method: "GET", ...asBot }),
        await invoke("reconcile-payments", { body: {}, ...asOperator }),
        await invoke("settle-order", { body: {}, ...asOperator }),
        await invoke("razorpay-webhook", { body: {} }),
      ];
      for (const answer of answers) deepStrictEqual(answer, UNREADABLE);
    });
    const users = await backend.sql`select from public.users where phone_number = ${phone}`;
    strictEqual(users.length, 0);
  },
);
