/**
 * Who gets into the console, and that everybody else gets nothing.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { Page, Request } from "playwright-core";
import { goTo, openCustomer, signIn } from "../../local/screenshots/console-states.ts";
import { startAuthStandIn, totpCode } from "../support/auth-stand-in.ts";
import { newCustomer, userIdOf } from "../support/bot.ts";
import { testInBrowser } from "../support/browser.ts";
import {
  addOperator,
  expectNoTrouble,
  holdAnswer,
  holdRequest,
  newUserOfAuth,
  openConsole,
  openPage,
  serveConsole,
  startConsole,
} from "../support/console.ts";
import { withEnvironment } from "../support/environment.ts";
import { adjust } from "../support/operators.ts";
import { signedIn } from "../support/proofs.ts";
import { newSecret } from "../support/signing.ts";
import { until } from "../../local/system/until.ts";

const harness = await startConsole();
const { backend, browser, url } = harness;
const { sql } = backend;
const standIn = startAuthStandIn(backend);
const standInPages = await serveConsole(backend, standIn.url);
Deno.test.afterAll(async () => {
  await standInPages.stop();
  await standIn.stop();
  await harness.stop();
});

/** What functions answer to what the page asks from now on, as `name status`. */
function watchAnswers(page: Page): string[] {
  const answers: string[] = [];
  const asked = new WeakSet<Request>();
  page.on("request", (request) => asked.add(request));
  page.on("response", (response) => {
    const request = response.request();
    const [, name] = /\/functions\/v1\/([\w-]+)/.exec(response.url()) ?? [];
    if (name && asked.has(request) && request.method() !== "OPTIONS") {
      answers.push(`${name} ${response.status()}`);
    }
  });
  return answers;
}

/** Fails unless the page has a heading and nothing of the console. */
async function expectGate(page: Page, heading: string): Promise<void> {
  await page.getByRole("heading", { name: heading }).waitFor();
  strictEqual(await page.getByRole("navigation").count(), 0);
  strictEqual(await page.getByRole("searchbox").count(), 0);
  strictEqual(await page.locator("table, dl, section").count(), 0);
}

/** Waits until the tab holds no session any more. */
function untilForgotten(page: Page): Promise<void> {
  return until(
    "the tab has forgotten the session",
    () => page.evaluate(() => sessionStorage.length === 0),
  );
}

/** Makes the tab's session one that has to be refreshed before it can be used. */
async function expireSession(page: Page): Promise<void> {
  await page.evaluate(() => {
    const session = JSON.parse(sessionStorage.getItem("credits-console") ?? "");
    sessionStorage.setItem("credits-console", JSON.stringify({ ...session, expires_at: 1 }));
  });
}

/** Gives the page a session that it did not make. */
async function plantSession(page: Page, headers: { authorization: string }): Promise<void> {
  await page.evaluate((access_token) => {
    const expires_in = 3600;
    const session = {
      access_token,
      refresh_token: "none",
      token_type: "bearer",
      expires_in,
      expires_at: Math.floor(Date.now() / 1000) + expires_in,
      user: { id: crypto.randomUUID() },
    };
    sessionStorage.setItem("credits-console", JSON.stringify(session));
    sessionStorage.setItem("credits-console-last-use", String(Date.now()));
  }, headers.authorization.replace("Bearer ", ""));
  await page.reload();
}

testInBrowser(
  browser,
  "without a session there is a form to sign in, and no function is called",
  async (context) => {
    const page = await context.newPage();
    const answers = watchAnswers(page);
    for (const view of ["", "#/attention", "#/sales", `#/customer/${crypto.randomUUID()}`]) {
      await page.goto(`${url}${view}`);
      await expectGate(page, "Sign in");
    }
    deepStrictEqual(answers, []);
  },
);

testInBrowser(browser, "a wrong password is refused in Auth's words", async (context) => {
  const operator = await addOperator(backend);
  const page = await openPage(context, url);
  await signIn(page, { ...operator, password: "something else" });
  await page.getByRole("alert").waitFor();
  match(await page.getByRole("alert").innerText(), /Invalid login credentials/);
  await expectGate(page, "Sign in");
  expectNoTrouble(page);
});

testInBrowser(browser, "whoever is no operator gets nothing", async (context) => {
  const page = await openPage(context, url);
  const answers = watchAnswers(page);
  await signIn(page, await newUserOfAuth(backend));
  await expectGate(page, "Not an operator");
  await goTo(page, "#/attention");
  await expectGate(page, "Not an operator");
  deepStrictEqual(answers, ["get-operator 403"]);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expectGate(page, "Sign in");
  expectNoTrouble(page);
});

testInBrowser(browser, "the session of a customer gets nothing", async (context) => {
  const { phone_number } = await newCustomer(sql, 3);
  const page = await openPage(context, url);
  const answers = watchAnswers(page);
  await plantSession(page, await signedIn(backend, phone_number));
  await expectGate(page, "Not an operator");
  deepStrictEqual(answers, ["get-operator 403"]);
});

testInBrowser(
  browser,
  "an operator who is disabled gets nothing, also while the console is open",
  async (context) => {
    const operator = await addOperator(backend);
    const person = await newCustomer(sql, 3);
    const page = await openConsole(context, url, operator);
    await openCustomer(page, await userIdOf(sql, person));
    await sql`select from public.disable_operator(${operator.email})`;
    const answers = watchAnswers(page);
    await goTo(page, "#/books");
    await expectGate(page, "Not an operator");
    strictEqual(await page.getByText(person.phone_number).count(), 0);
    await page.reload();
    await expectGate(page, "Not an operator");
    deepStrictEqual(answers.filter((answer) => answer.endsWith("200")), []);
    expectNoTrouble(page);
  },
);

testInBrowser(
  browser,
  "an address that changes before the console is on the screen is followed",
  async (context) => {
    const page = await openPage(context, url);
    await page.evaluate(() => {
      new MutationObserver((_, observer) => {
        if (!document.querySelector("nav")) return;
        observer.disconnect();
        location.hash = "#/books";
      }).observe(document.body, { childList: true, subtree: true });
    });
    await signIn(page, await addOperator(backend));
    await page.getByRole("heading", { name: "The books" }).waitFor();
    expectNoTrouble(page);
  },
);

testInBrowser(
  browser,
  "a session that was ended elsewhere leads back to signing in",
  async (context) => {
    const operator = await addOperator(backend);
    const page = await openConsole(context, url, operator);
    await sql`
    delete from auth.sessions s using auth.users u
    where u.id = s.user_id and u.email = ${operator.email}`;
    await goTo(page, "#/books");
    await expectGate(page, "Sign in");
    await page.getByText("The session has ended. Sign in again.").waitFor();
    expectNoTrouble(page);
  },
);

testInBrowser(
  browser,
  "the session belongs to the tab, is refreshed, and signing out ends it",
  async (context) => {
    const operator = await addOperator(backend);
    const page = await openConsole(context, url, operator);
    strictEqual(await page.evaluate(() => localStorage.length), 0);
    const other = await openPage(context, url);
    await expectGate(other, "Sign in");

    await expireSession(page);
    await page.reload();
    await page.getByRole("navigation").waitFor();
    const session = await page.evaluate(() =>
      JSON.parse(sessionStorage.getItem("credits-console") ?? "") as {
        access_token: string;
        expires_at: number;
      }
    );
    ok(session.expires_at > Date.now() / 1000);

    await goTo(page, "#/books");
    await page.getByRole("heading", { name: "The books" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expectGate(page, "Sign in");
    await untilForgotten(page);
    await until("Auth has ended the session", async () => {
      const answer = await fetch(`${backend.environment.SUPABASE_URL}/functions/v1/get-operator`, {
        headers: { authorization: `Bearer ${session.access_token}` },
      });
      await answer.body?.cancel();
      return answer.status === 401;
    });
    await page.goBack();
    await expectGate(page, "Sign in");
    expectNoTrouble(page);
  },
);

/** What Auth may be slow with while somebody signs out. */
const SLOW: readonly (readonly [what: string, address: string, isExpired: boolean])[] = [
  ["to end a session", "**/auth/v1/logout*", false],
  ["to refresh a session that is to end", "**/auth/v1/token?grant_type=refresh_token", true],
];

for (const [what, address, isExpired] of SLOW) {
  testInBrowser(
    browser,
    `where Auth is slow ${what}, the tab forgets it at once, and the next session stays`,
    async (context) => {
      const [former, next] = [await addOperator(backend), await addOperator(backend)];
      const page = await openConsole(context, url, former);
      await page.waitForLoadState("networkidle");
      const letGo = await holdAnswer(page, address);
      if (isExpired) await expireSession(page);
      let isLoggedOut = false;
      page.on("requestfinished", (request) => {
        isLoggedOut ||= request.method() === "POST" && request.url().includes("/auth/v1/logout");
      });
      await page.getByRole("button", { name: "Sign out" }).click();
      await expectGate(page, "Sign in");
      strictEqual(await page.evaluate(() => sessionStorage.length), 0);
      await signIn(page, next);
      await page.getByRole("navigation").waitFor();
      await letGo();
      await until("Auth has ended the session", () => Promise.resolve(isLoggedOut));
      await page.reload();
      await page.getByRole("navigation").waitFor();
      const sessions = await sql`
        select u.email from auth.sessions s join auth.users u on u.id = s.user_id
        where u.email in (${former.email}, ${next.email})`;
      deepStrictEqual(sessions.map(({ email }) => email), [next.email]);
      expectNoTrouble(page);
    },
  );
}

/** Notes the requests to an address from now on. */
function watchRequests(page: Page, address: string): string[] {
  const requests: string[] = [];
  page.on("request", (request) => {
    if (request.method() !== "OPTIONS" && request.url().includes(address)) {
      requests.push(request.url());
    }
  });
  return requests;
}

testInBrowser(
  browser,
  "a call that is refused after its operator has signed out is not made again as the next one",
  async (context) => {
    const [former, next] = [await addOperator(backend), await addOperator(backend)];
    const page = await openConsole(context, url, former);
    const address = "/functions/v1/list-actions-taken";
    const isHeld = page.waitForRequest(`**${address}*`);
    const letGo = await holdRequest(page, `**${address}*`);
    await goTo(page, "#/actions");
    await isHeld;
    const hasEnded = page.waitForResponse("**/auth/v1/logout*");
    await page.getByRole("button", { name: "Sign out" }).click();
    await expectGate(page, "Sign in");
    await hasEnded;
    const isLoaded = page.waitForResponse(`**${address}*`);
    await signIn(page, next);
    await isLoaded;
    const renewals = watchRequests(page, "grant_type=refresh_token");
    const calls = watchRequests(page, address);
    const isRefused = page.waitForResponse((response) =>
      response.url().includes(address) && response.status() === 401
    );
    await letGo();
    await isRefused;
    deepStrictEqual([...renewals, ...calls], []);
    ok(await page.getByRole("navigation").isVisible());
    expectNoTrouble(page);
  },
);

testInBrowser(
  browser,
  "an act that waits for a token while its operator is signed out is not done by the next one",
  async (context) => {
    const [former, next] = [await addOperator(backend), await addOperator(backend)];
    const person = await newCustomer(sql, 3);
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(url);
    await signIn(page, former);
    await openCustomer(page, await userIdOf(sql, person));
    await page.getByRole("button", { name: "Give or take credits" }).click();
    const dialog = page.getByRole("dialog", { name: "Give or take credits" });
    await dialog.getByLabel("Credits", { exact: true }).fill("5");
    await dialog.getByLabel("Reason, for the record").fill("The picture came out black");
    const address = "**/auth/v1/token?grant_type=refresh_token";
    const isHeld = page.waitForRequest(address);
    const letGo = await holdRequest(page, address);
    await expireSession(page);
    await dialog.getByRole("button", { name: "Give credits" }).click();
    await isHeld;
    await page.clock.fastForward("14:30");
    await page.getByRole("dialog", { name: "Are you still there?" })
      .getByRole("button", { name: "Sign out" }).click();
    await expectGate(page, "Sign in");
    await signIn(page, next);
    await page.getByRole("navigation").waitFor();
    const calls = watchRequests(page, "/functions/v1/adjust-credits");
    await letGo();
    // The console goes on, and with another call, so that one that was made before is noted by then.
    await goTo(page, "#/books");
    await page.getByRole("heading", { name: "Newest checks" }).waitFor();
    deepStrictEqual(calls, []);
  },
);

testWithSecondFactor(
  "an operator changes the password that somebody else has seen",
  async (page) => {
    const operator = await addOperator(backend, { supabaseUrl: standIn.url });
    await signIn(page, operator);
    const secret = await page.locator(".secret").innerText();
    await enterCode(page, totpCode(secret), "Set up");
    await page.getByRole("button", { name: "Password" }).click();
    const password = newSecret();
    await page.getByLabel("New password").fill(password);
    await page.getByRole("button", { name: "Change", exact: true }).click();
    await page.getByText("The password was changed.").waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn(page, operator);
    await page.getByRole("alert").waitFor();
    await signIn(page, { ...operator, password });
    await expectGate(page, "Second factor");
  },
);

testInBrowser(browser, "support sees no button that its role may not use", async (context) => {
  const operator = await addOperator(backend, { role: "support", name: "Bela" });
  const { phone_number } = await newCustomer(sql, 60);
  const id = await userIdOf(sql, { phone_number });
  await adjust(id, -70, { allow_debt: true });
  const page = await openConsole(context, url, operator);
  await openCustomer(page, id);
  const buttons = await page.getByRole("group", { name: "What can be done" })
    .getByRole("button").allInnerTexts();
  deepStrictEqual(buttons, ["Give or take credits", "Export a statement"]);
  await page.getByRole("button", { name: "Give or take credits" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason, for the record").fill("The picture came out black");
  await dialog.getByLabel("Credits", { exact: true }).fill("51");
  ok(await dialog.getByRole("button", { name: "Give credits" }).isDisabled());
  await dialog.getByLabel("Credits", { exact: true }).fill("50");
  await dialog.getByRole("button", { name: "Give credits" }).click();
  await dialog.getByText("Done.").waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  const [action] = await sql`
    select operator, action from public.operator_actions where user_id = ${id} order by id desc limit 1`;
  deepStrictEqual({ ...action }, { operator: "Bela", action: "adjust-credits" });

  await adjust(id, -100, { allow_debt: true });
  await goTo(page, "#/attention");
  await page.getByRole("listitem").filter({ hasText: phone_number })
    .getByText("An owner can do this.").waitFor();
  expectNoTrouble(page);
});

testInBrowser(
  browser,
  "what the role may not do is refused, whatever the page sends",
  async (context) => {
    const operator = await addOperator(backend, { role: "support" });
    const id = await userIdOf(sql, await newCustomer(sql, 3));
    const page = await openConsole(context, url, operator);
    const statuses = await page.evaluate(async ({ api, key, id }) => {
      const session = JSON.parse(sessionStorage.getItem("credits-console") ?? "");
      const post = async (name: string, fields: Record<string, unknown>) => {
        const response = await fetch(`${api}/functions/v1/${name}`, {
          method: "POST",
          headers: {
            apikey: key,
            authorization: `Bearer ${session.access_token}`,
            "content-type": "application/json",
          },
          body: JSON.stringify({ reason: "x", reference_id: crypto.randomUUID(), ...fields }),
        });
        return (await response.json()).code;
      };
      return [
        await post("freeze-user", { user_id: id }),
        await post("erase-user", { user_id: id }),
        await post("adjust-credits", { user_id: id, credits: 51 }),
      ];
    }, {
      api: backend.environment.SUPABASE_URL,
      key: backend.environment.SUPABASE_PUBLISHABLE_KEY,
      id,
    });
    deepStrictEqual(statuses, ["NOT_ALLOWED", "NOT_ALLOWED", "NOT_ALLOWED"]);
  },
);

/** A test of the console in front of the stand-in for Auth, on a project that requires a second factor. */
function testWithSecondFactor(name: string, act: (page: Page) => Promise<void>): void {
  testInBrowser(browser, name, async (context) => {
    const console = standInPages.urls.console;
    await withEnvironment({
      CONSOLE_SECOND_FACTOR: "required",
      CONSOLE_ORIGIN: new URL(console).origin,
    }, async () => {
      const page = await openPage(context, console);
      await act(page);
      expectNoTrouble(page);
    });
  });
}

async function enterCode(page: Page, code: string, button: string): Promise<void> {
  await page.getByLabel("Code from the app").fill(code);
  await page.getByRole("button", { name: button }).click();
}

testWithSecondFactor(
  "an operator sets up a second factor, and shows it at every sign-in",
  async (page) => {
    const operator = await addOperator(backend, { supabaseUrl: standIn.url });
    const answers = watchAnswers(page);
    await signIn(page, operator);
    await expectGate(page, "Second factor");
    const picture = page.getByRole("img", { name: "The secret, as a QR code" });
    await picture.waitFor();
    match(await picture.getAttribute("src") ?? "", /^data:image\/svg\+xml;utf-8,%3Csvg/);
    ok(
      await picture.evaluate((image: HTMLImageElement) =>
        image.decode().then(() => image.naturalWidth)
      ),
    );
    const field = page.getByLabel("Code from the app");
    strictEqual(await field.getAttribute("autocomplete"), "one-time-code");

    // Whoever begins again gets another secret, and can finish with it.
    const abandoned = await page.locator(".secret").innerText();
    await page.reload();
    await picture.waitFor();
    const secret = await page.locator(".secret").innerText();
    ok(secret !== abandoned);
    await enterCode(page, "000000", "Set up");
    match(await page.getByRole("alert").innerText(), /Invalid TOTP code/);
    deepStrictEqual(answers.filter((answer) => answer.endsWith("200")), []);
    // As it is pasted from an app that shows it in two halves.
    await enterCode(page, totpCode(secret).replace(/^.../, "$& "), "Set up");
    await page.getByRole("navigation").waitFor();
    strictEqual(await page.getByText("No second factor is asked for").count(), 0);

    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn(page, operator);
    await expectGate(page, "Second factor");
    await page.getByLabel("Code from the app").waitFor();
    strictEqual(await page.locator(".secret").count(), 0);
    await enterCode(page, totpCode(secret), "Go on");
    await page.getByRole("navigation").waitFor();
  },
);

testWithSecondFactor(
  "an operator who takes long over the second factor is not signed out for it",
  async (page) => {
    await page.clock.install();
    await page.reload();
    await signIn(page, await addOperator(backend, { supabaseUrl: standIn.url }));
    const secret = await page.locator(".secret").innerText();
    await page.clock.fastForward("16:00");
    await enterCode(page, totpCode(secret), "Set up");
    await page.getByRole("navigation").waitFor();
    // As often as the page looks whether somebody is there.
    await page.clock.runFor(2_000);
    ok(await page.getByRole("navigation").isVisible());
  },
);

testWithSecondFactor(
  "a code that is being checked cannot be overtaken by signing out",
  async (page) => {
    await signIn(page, await addOperator(backend, { supabaseUrl: standIn.url }));
    const secret = await page.locator(".secret").innerText();
    const signOut = page.getByRole("button", { name: "Sign out" });
    const letGo = await holdAnswer(page, "**/auth/v1/factors/*/verify");
    await enterCode(page, totpCode(secret), "Set up");
    await page.getByRole("button", { name: "One moment" }).waitFor();
    ok(await signOut.isDisabled());
    await letGo();
    await page.getByRole("navigation").waitFor();
    ok(await signOut.isEnabled());
  },
);

testWithSecondFactor(
  "what a former operator waited for does not undo the next one's setting up",
  async (page) => {
    const newOperator = () => addOperator(backend, { supabaseUrl: standIn.url });
    const address = "**/auth/v1/user";
    // Auth is asked when the session has ended, and says so.
    const letGo = await holdRequest(page, address);
    const isHeld = page.waitForRequest(address);
    await signIn(page, await newOperator());
    await isHeld;
    const hasEnded = page.waitForResponse("**/auth/v1/logout*");
    await page.getByRole("button", { name: "Sign out" }).click();
    await hasEnded;
    await signIn(page, await newOperator());
    const secret = await page.locator(".secret").innerText();
    const factors = watchRequests(page, "/auth/v1/factors");
    await letGo();
    deepStrictEqual(factors, []);
    await enterCode(page, totpCode(secret), "Set up");
    await page.getByRole("navigation").waitFor();
  },
);

testWithSecondFactor("an operator without the second factor gets nothing", async (page) => {
  const operator = await addOperator(backend, { supabaseUrl: standIn.url });
  const answers = watchAnswers(page);
  await signIn(page, operator);
  for (const view of ["#/attention", "#/sales", "#/actions"]) {
    await goTo(page, view);
    await expectGate(page, "Second factor");
  }
  deepStrictEqual(answers, ["get-operator 403"]);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expectGate(page, "Sign in");
});

testInBrowser(browser, "where Auth has no second factors, the page says so", async (context) => {
  const page = await openConsole(context, url, await addOperator(backend));
  await page.getByText("No second factor is asked for here").waitFor();
});

testInBrowser(browser, "a page that nobody touches warns, and then signs out", async (context) => {
  const page = await context.newPage();
  await page.clock.install();
  await page.goto(url);
  await signIn(page, await addOperator(backend));
  await page.getByRole("navigation").waitFor();
  // The warning lies over another dialog, and each says its own name.
  await page.getByRole("button", { name: "Password" }).click();
  const password = page.getByRole("dialog", { name: "Change your password" });
  await password.waitFor();
  await page.clock.fastForward("14:30");
  await page.getByRole("dialog", { name: "Are you still there?" }).waitFor();
  await page.getByRole("button", { name: "Stay signed in" }).click();
  await password.getByRole("button", { name: "Cancel" }).click();
  await page.clock.fastForward("13:30");
  await page.getByRole("navigation").waitFor();
  strictEqual(await page.getByRole("dialog").count(), 0);
  await page.clock.fastForward("01:00");
  await page.getByRole("dialog", { name: "Are you still there?" }).waitFor();
  await page.clock.fastForward("01:00");
  await expectGate(page, "Sign in");
  await page.getByText("nobody had touched the page").waitFor();
  await untilForgotten(page);
});

testInBrowser(
  browser,
  "a session that was left for long is not taken up again",
  async (context) => {
    const page = await openConsole(context, url, await addOperator(backend));
    await page.evaluate(() =>
      sessionStorage.setItem("credits-console-last-use", String(Date.now() - 16 * 60_000))
    );
    await page.reload();
    await expectGate(page, "Sign in");
  },
);

testInBrowser(
  browser,
  "a backend that does not answer is said, and tried again",
  async (context) => {
    await context.clock.install();
    const page = await openConsole(context, url, await addOperator(backend));
    await page.route("**/functions/v1/get-operator", (route) => route.abort());
    await page.reload();
    await expectGate(page, "Not reachable");
    await page.unroute("**/functions/v1/get-operator");
    await page.clock.fastForward("16:00");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("navigation").waitFor();
    await page.clock.runFor(2_000);
    await page.route("**/functions/v1/check-books", (route) => route.abort());
    await goTo(page, "#/books");
    await page.getByText("The backend did not answer.").waitFor();
    await page.unroute("**/functions/v1/check-books");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Newest check:").waitFor();
  },
);

testInBrowser(browser, "the browser never holds the secret key", async (context) => {
  const { SUPABASE_SECRET_KEY } = backend.environment;
  const page = await openPage(context, url);
  const texts: string[] = [];
  page.on("request", (request) => texts.push(JSON.stringify(request.headers()), request.url()));
  page.on("response", async (response) => texts.push(await response.text().catch(() => "")));
  await page.reload();
  await signIn(page, await addOperator(backend));
  await page.getByRole("navigation").waitFor();
  await page.waitForLoadState("networkidle");
  ok(texts.length > 10);
  ok(!texts.some((text) => text.includes(SUPABASE_SECRET_KEY)));
});
