/**
 * What operators do in the console, with its effect in the database and in the record.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { Page } from "playwright-core";
import { goTo, openCustomer } from "../../local/screenshots/console-states.ts";
import { deduct, newCustomer, newReference, reserve, userIdOf } from "../support/bot.ts";
import { until } from "../../local/system/until.ts";
import { testInBrowser } from "../support/browser.ts";
import {
  addOperator,
  expectNoTrouble,
  holdAnswer,
  holdFailure,
  openConsole,
  startConsole,
} from "../support/console.ts";
import { newCustomerWithHistory } from "../support/console-scenes.ts";
import { acknowledged, listenForEvents } from "../../local/prove/load/event-listener.ts";
import { deliverTo, forgetEvents } from "../support/events.ts";
import { one } from "../support/lists.ts";
import { adjust, newTicket } from "../support/operators.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, payForPackage, placeOrders } from "../support/purchases.ts";

const harness = await startConsole();
const { backend: { sql, razorpay, secrets }, browser, url } = harness;
const operator = await addOperator(harness.backend, { name: "Asha Rao" });
Deno.test.afterAll(() => harness.stop());

/** A test of an operator at the console, in which nothing may go wrong. */
function testInConsole(name: string, act: (page: Page) => Promise<void>): void {
  testInBrowser(browser, name, async (context) => {
    const page = await openConsole(context, url, operator);
    await act(page);
    expectNoTrouble(page);
  });
}

/** A customer on their page. */
async function openNewCustomer(page: Page, credits: number) {
  const person = await newCustomer(sql, credits);
  const id = await userIdOf(sql, person);
  await openCustomer(page, id);
  return { ...person, id };
}

/** A customer who bought 20 credits for 99 rupees besides the 3 of the welcome, and spent some. */
async function newBuyer({ spent = 0 } = {}) {
  const phone_number = newPhoneNumber();
  const { checkout } = await buyCredits(razorpay.control, phone_number, "starter");
  if (spent > 0) await deduct({ phone_number, credits: spent, reference_id: newReference() });
  const id = await userIdOf(sql, { phone_number });
  return { phone_number, id, paymentId: checkout.razorpay_payment_id };
}

const FIND = "**/functions/v1/find-customer";
const GET = "**/functions/v1/get-customer*";
const EXPORT = "/functions/v1/export-statement";
const dialogOf = (page: Page) => page.getByRole("dialog");

/** Opens a dialog by its button. */
async function open(page: Page, button: string): Promise<void> {
  await page.getByRole("button", { name: button, exact: true }).click();
}

/** What the dialog says will happen. */
async function forecast(page: Page): Promise<string[]> {
  const lines = dialogOf(page).locator(".forecast li");
  await lines.first().waitFor();
  // An arrow for those who see it, and a word for those who hear it.
  return (await lines.allTextContents()).map((line) =>
    line.replace("becomes", "").replaceAll(/\s+/g, " ")
  );
}

/** Gives a reason, confirms, and returns the reason and what the dialog says then. */
async function confirm(page: Page, button: string): Promise<{ reason: string; outcome: string }> {
  const dialog = dialogOf(page);
  const reason = newTicket();
  await dialog.getByLabel("Reason, for the record").fill(reason);
  await dialog.getByRole("button", { name: button, exact: true }).click();
  await dialog.getByRole("button", { name: "Close" }).waitFor();
  const outcome = (await dialog.locator(".result").innerText()).trim();
  await dialog.getByRole("button", { name: "Close" }).click();
  return { reason, outcome };
}

/** What is recorded under a reason, as `action outcome`, all of it by the verified operator. */
async function recorded(reason: string): Promise<string[]> {
  const rows = await sql<{ words: string; operator: string; is_verified: boolean }[]>`
    select a.action || ' ' || a.outcome as words, a.operator, o.email = ${operator.email} as is_verified
    from public.operator_actions a left join public.operators o on o.user_id = a.operator_id
    where a.reason = ${reason} order by a.id`;
  for (const row of rows) {
    deepStrictEqual([row.operator, row.is_verified], [operator.name, true], row.words);
  }
  return rows.map(({ words }) => words);
}

interface Funds {
  readonly credits: number;
  readonly reserved: number;
  readonly debt: number;
}

async function fundsOf(id: string): Promise<Funds> {
  const row = one(
    await sql<Funds[]>`
    select credits, held_credits as reserved, debt_credits as debt from public.users
    where id = ${id}`,
  );
  return { ...row };
}

testInConsole(
  "a customer is found by a number in any spelling, and has an address",
  async (page) => {
    const { phone_number } = await newCustomer(sql, 7);
    const id = await userIdOf(sql, { phone_number });
    await page.getByRole("searchbox").fill(phone_number.replace("+91", "0"));
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: phone_number }).waitFor();
    strictEqual(new URL(page.url()).hash, `#/customer/${id}`);
    ok(await page.getByText("7", { exact: true }).first().isVisible());
    await page.reload();
    await page.getByRole("heading", { level: 1, name: phone_number }).waitFor();
  },
);

testInConsole(
  "a search that finds nobody says so, and one that finds orders of nobody shows them",
  async (page) => {
    await page.getByRole("searchbox").fill("pay_00000000000000");
    await page.keyboard.press("Enter");
    await page.getByText("No customer was found.").waitFor();
    const phone_number = newPhoneNumber();
    await payForPackage(razorpay.control, phone_number, "starter", { outcome: "failed" });
    await page.getByRole("searchbox").fill(phone_number);
    await page.keyboard.press("Enter");
    const orders = page.getByRole("heading", { name: "Orders of nobody yet" });
    await orders.waitFor();
    // What is begun with them must not be ended by the answer to another search.
    const letGo = await holdAnswer(page, FIND);
    await page.getByRole("searchbox").fill("pay_00000000000000");
    await page.keyboard.press("Enter");
    await orders.waitFor({ state: "detached" });
    await letGo();
    await page.getByText("No customer was found.").waitFor();
  },
);

testInConsole("a late answer to a search takes nobody away from a customer", async (page) => {
  const [sought, opened] = [await newCustomer(sql, 3), await newCustomer(sql, 4)];
  const id = await userIdOf(sql, opened);
  const letGo = await holdAnswer(page, FIND);
  await page.getByRole("searchbox").fill(sought.phone_number);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Found" }).waitFor();
  await openCustomer(page, id);
  await open(page, "Give or take credits");
  await letGo();
  strictEqual(new URL(page.url()).hash, `#/customer/${id}`);
  await dialogOf(page).getByText(`Customer ${opened.phone_number}`).waitFor();
});

testInConsole(
  "what was found anew after a look-up takes nobody away from the next one",
  async (page) => {
    const phone_number = newPhoneNumber();
    await payForPackage(razorpay.control, phone_number, "starter");
    await payForPackage(razorpay.control, phone_number, "popular", { outcome: "failed" });
    await page.getByRole("searchbox").fill(phone_number);
    await page.keyboard.press("Enter");
    const lookUp = page.getByRole("button", { name: "Look up at Razorpay" });
    await lookUp.last().click();
    const letGo = await holdAnswer(page, FIND);
    const isAsked = page.waitForRequest(FIND);
    await confirm(page, "Ask Razorpay");
    await isAsked;
    await lookUp.first().click();
    await dialogOf(page).getByLabel("Reason, for the record").fill("The other one");
    await letGo();
    // The number is a customer's by now, and the only one.
    await page.getByText("1 customer.").waitFor();
    strictEqual(
      await dialogOf(page).getByLabel("Reason, for the record").inputValue(),
      "The other one",
    );
    await confirm(page, "Ask Razorpay");
    await page.getByRole("heading", { level: 1, name: phone_number }).waitFor();
  },
);

testInConsole(
  "a page that cannot be loaded again says so, and keeps what was begun on it",
  async (page) => {
    const { id } = await openNewCustomer(page, 10);
    await open(page, "Give or take credits");
    await dialogOf(page).getByLabel("Credits", { exact: true }).fill("5");
    const letGo = await holdFailure(page, GET);
    const isAsked = page.waitForRequest(GET);
    await confirm(page, "Give credits");
    await isAsked;
    await open(page, "Give or take credits");
    await dialogOf(page).getByLabel("Credits", { exact: true }).fill("7");
    await letGo();
    strictEqual(await dialogOf(page).getByLabel("Credits", { exact: true }).inputValue(), "7");
    await confirm(page, "Give credits");
    strictEqual((await fundsOf(id)).credits, 22);
    await page.locator(".balances .main dd", { hasText: "22" }).waitFor();
    strictEqual(await page.getByRole("main").getByRole("alert").count(), 0);

    const letGoAgain = await holdFailure(page, GET);
    await open(page, "Freeze");
    await confirm(page, "Freeze");
    await letGoAgain();
    await page.getByText("What is below was loaded before.").waitFor();
    await page.locator(".balances .words", { hasText: "Active" }).waitFor();
    await open(page, "Try again");
    await page.locator(".balances .words", { hasText: "Frozen" }).waitFor();
    strictEqual(await page.getByRole("main").getByRole("alert").count(), 0);

    // With another order, it is something else that cannot be loaded.
    const letGoLast = await holdFailure(page, GET);
    await goTo(page, `#/customer/${id}?order=${crypto.randomUUID()}`);
    await letGoLast();
    await page.getByText("The backend did not answer.").waitFor();
    strictEqual(await page.locator(".balances").count(), 0);
  },
);

testInConsole("a late answer to a filter takes nobody away from a customer", async (page) => {
  const [named, opened] = [await newCustomer(sql, 3), await newCustomer(sql, 4)];
  const id = await userIdOf(sql, opened);
  await goTo(page, "#/actions");
  const letGo = await holdAnswer(page, FIND);
  await page.getByRole("textbox", { name: "Customer" }).fill(named.phone_number);
  await open(page, "Filter");
  await openCustomer(page, id);
  await letGo();
  strictEqual(new URL(page.url()).hash, `#/customer/${id}`);
});

testInConsole("credits are given, and first pay the debt", async (page) => {
  const { id } = await openNewCustomer(page, 12);
  await open(page, "Give or take credits");
  await dialogOf(page).getByLabel("Credits", { exact: true }).fill("5");
  deepStrictEqual(await forecast(page), [
    "Balance 12 → 17",
    "Can be spent 12 → 17",
  ]);
  const { reason, outcome } = await confirm(page, "Give credits");
  strictEqual(outcome, "Done. The balance is 17.");
  deepStrictEqual(await fundsOf(id), { credits: 17, reserved: 0, debt: 0 });
  deepStrictEqual(await recorded(reason), ["adjust-credits done"]);
  // The page shows it without being told to.
  await page.locator(".balances .main dd", { hasText: "17" }).waitFor();
  await page.getByText(reason).waitFor();

  await adjust(id, -20, { allow_debt: true });
  await page.reload();
  await open(page, "Give or take credits");
  await dialogOf(page).getByLabel("Credits", { exact: true }).fill("10");
  deepStrictEqual(await forecast(page), [
    "Balance 0 → 7",
    "Debt 3 → 0",
    "Can be spent 0 → 7",
  ]);
  await confirm(page, "Give credits");
  deepStrictEqual(await fundsOf(id), { credits: 7, reserved: 0, debt: 0 });
});

testInConsole("credits are taken, and become a debt only if that is chosen", async (page) => {
  const { id } = await openNewCustomer(page, 4);
  await open(page, "Give or take credits");
  await dialogOf(page).getByLabel("Take").check();
  await dialogOf(page).getByLabel("Credits", { exact: true }).fill("6");
  match((await forecast(page)).join(), /^Nothing: 2 credits of these are spent or reserved/);
  ok(await dialogOf(page).getByRole("button", { name: "Take credits" }).isDisabled());
  await dialogOf(page).getByLabel("What the balance does not cover becomes a debt").check();
  deepStrictEqual(await forecast(page), [
    "Balance 4 → 0",
    "Debt 0 → 2",
    "Can be spent 4 → 0",
  ]);
  const { reason, outcome } = await confirm(page, "Take credits");
  strictEqual(outcome, "Done. The balance is 0, and the debt is 2.");
  deepStrictEqual(await fundsOf(id), { credits: 0, reserved: 0, debt: 2 });
  deepStrictEqual(await recorded(reason), ["adjust-credits done"]);
});

testInConsole("what is refused says why, and changes nothing", async (page) => {
  const { id, phone_number } = await openNewCustomer(page, 4);
  await open(page, "Give or take credits");
  await dialogOf(page).getByLabel("Take").check();
  await dialogOf(page).getByLabel("Credits", { exact: true }).fill("4");
  // Spent after the page was loaded.
  await deduct({ phone_number, credits: 1, reference_id: newReference() });
  await dialogOf(page).getByLabel("Reason, for the record").fill("Too late");
  await dialogOf(page).getByRole("button", { name: "Take credits" }).click();
  await dialogOf(page).getByText("Nothing was changed: ").waitFor();
  match(await dialogOf(page).innerText(), /does not have as many credits.*NOT_ENOUGH_CREDITS/s);
  deepStrictEqual(await fundsOf(id), { credits: 3, reserved: 0, debt: 0 });
});

testInConsole("a click that comes twice acts once", async (page) => {
  const { id } = await openNewCustomer(page, 10);
  await open(page, "Give or take credits");
  await dialogOf(page).getByLabel("Credits", { exact: true }).fill("5");
  await dialogOf(page).getByLabel("Reason, for the record").fill("Twice");
  let calls = 0;
  page.on("request", (request) => {
    if (request.url().endsWith("/adjust-credits") && request.method() === "POST") calls++;
  });
  await page.evaluate(() => {
    const form = document.querySelector("dialog form") as HTMLFormElement;
    form.requestSubmit();
    form.requestSubmit();
  });
  await dialogOf(page).getByText("Done.").waitFor();
  strictEqual(calls, 1);
  strictEqual((await fundsOf(id)).credits, 15);
});

testInConsole(
  "an answer that was lost is asked for again, and the act has happened once",
  async (page) => {
    const { id } = await openNewCustomer(page, 10);
    await open(page, "Give or take credits");
    await dialogOf(page).getByLabel("Credits", { exact: true }).fill("5");
    let isLost = false;
    await page.route("**/functions/v1/adjust-credits", async (route) => {
      if (isLost || route.request().method() !== "POST") return await route.continue();
      isLost = true;
      await route.fetch();
      await route.abort();
    });
    const reason = newTicket();
    await dialogOf(page).getByLabel("Reason, for the record").fill(reason);
    await dialogOf(page).getByRole("button", { name: "Give credits" }).click();
    await dialogOf(page).getByText("It is not known whether it happened.").waitFor();
    // Another request under the same reference would be refused.
    ok(await dialogOf(page).getByLabel("Credits", { exact: true }).isDisabled());
    await dialogOf(page).getByRole("button", { name: "Try again" }).click();
    await dialogOf(page).getByText("This had been done before.").waitFor();
    strictEqual((await fundsOf(id)).credits, 15);
    deepStrictEqual(await recorded(reason), ["adjust-credits done"]);
  },
);

testInConsole("an account is frozen, and goes on", async (page) => {
  const { id, phone_number } = await openNewCustomer(page, 9);
  await open(page, "Freeze");
  deepStrictEqual((await forecast(page)).slice(0, 2), [
    "Balance stays 9",
    "Can be spent 9 → 0",
  ]);
  const frozen = await confirm(page, "Freeze");
  strictEqual(frozen.outcome, "Done. The account is frozen.");
  deepStrictEqual(await recorded(frozen.reason), ["freeze-user done"]);
  const refused = await deduct({ phone_number, credits: 1, reference_id: newReference() });
  strictEqual(refused.body.code, "ACCOUNT_FROZEN");
  await open(page, "Unfreeze");
  const { reason } = await confirm(page, "Unfreeze");
  deepStrictEqual(await recorded(reason), ["unfreeze-user done"]);
  strictEqual(
    (await sql`select from public.users where id = ${id} and frozen_at is null`).count,
    1,
  );
});

testInConsole("a debt is forgiven, in part and then whole", async (page) => {
  const { id } = await openNewCustomer(page, 2);
  await adjust(id, -10, { allow_debt: true });
  await page.reload();
  await open(page, "Forgive the debt");
  await dialogOf(page).getByLabel("Credits to forgive").fill("3");
  deepStrictEqual((await forecast(page))[0], "Debt 8 → 5");
  const { reason, outcome } = await confirm(page, "Forgive");
  strictEqual(outcome, "Done. The debt is 5.");
  deepStrictEqual(await recorded(reason), ["forgive-debt done"]);
  await page.getByText("debt 8 → 5").waitFor();
  await open(page, "Forgive the debt");
  await confirm(page, "Forgive");
  strictEqual((await fundsOf(id)).debt, 0);
  await page.getByRole("button", { name: "Forgive the debt" }).waitFor({ state: "detached" });
});

testInConsole("no more of a debt is forgiven than the dialog said", async (page) => {
  const { id } = await openNewCustomer(page, 2);
  await adjust(id, -10, { allow_debt: true });
  await page.reload();
  await open(page, "Forgive the debt");
  deepStrictEqual((await forecast(page))[0], "Debt 8 → 0");
  // Owed after the page was loaded.
  await adjust(id, -5, { allow_debt: true });
  const { outcome } = await confirm(page, "Forgive");
  strictEqual(outcome, "Done. The debt is 5.");
});

testInConsole(
  "a payment is refunded in part and then whole, and what was spent becomes a debt",
  async (page) => {
    const { id } = await newBuyer({ spent: 15 });
    await openCustomer(page, id);
    await open(page, "Refund");
    await dialogOf(page).getByLabel("A part of it").check();
    await dialogOf(page).getByLabel("Rupees").fill("24.50");
    deepStrictEqual((await forecast(page)).slice(0, 2), [
      "₹24.50 goes back; 4 credits are taken.",
      "Balance 8 → 4",
    ]);
    const part = await confirm(page, "Refund ₹24.50");
    match(part.outcome, /Razorpay made the refund rfnd_\w+ of ₹24.50/);
    deepStrictEqual(await recorded(part.reason), [
      "refund-payment asked",
      "refund-payment refunded",
    ]);
    deepStrictEqual(await fundsOf(id), { credits: 4, reserved: 0, debt: 0 });

    await page.getByText("4 credits taken").waitFor();
    await open(page, "Refund");
    deepStrictEqual((await forecast(page)).slice(0, 3), [
      "₹74.50 goes back; 16 credits are taken, 12 of them become debt.",
      "Balance 4 → 0",
      "Debt 0 → 12",
    ]);
    await confirm(page, "Refund ₹74.50");
    deepStrictEqual(await fundsOf(id), { credits: 0, reserved: 0, debt: 12 });
    // Nothing is left to refund.
    await page.getByText("16 credits taken").waitFor();
    strictEqual(await page.getByRole("button", { name: "Refund" }).count(), 0);
  },
);

testInConsole("an older payment is found by its id, with its refund beside it", async (page) => {
  const { id, phone_number, paymentId } = await newBuyer();
  await placeOrders(sql, phone_number, 20);
  await openCustomer(page, id);
  await page.getByText("Only the newest are here.").waitFor();
  const payments = page.locator(".payment").filter({ hasText: paymentId });
  strictEqual(await payments.count(), 0);
  await page.getByRole("searchbox").fill(paymentId);
  await page.keyboard.press("Enter");
  const sought = page.getByRole("region", { name: "The order that was looked for" });
  await sought.getByText(paymentId).waitFor();
  strictEqual(await payments.count(), 1);
  // The address has the order, too.
  await page.reload();
  await sought.getByRole("button", { name: "Refund" }).click();
  deepStrictEqual((await forecast(page)).slice(0, 2), [
    "₹99 goes back; 20 credits are taken.",
    "Balance 23 → 3",
  ]);
  await confirm(page, "Refund ₹99");
  await sought.getByText("20 credits taken").waitFor();
});

testInConsole("a reservation is ended, and its credits return", async (page) => {
  const { id, phone_number } = await openNewCustomer(page, 20);
  await reserve({ phone_number, credits: 6, reference_id: "job-1" });
  await page.reload();
  await open(page, "End");
  const lines = await forecast(page);
  ok(lines.includes("Reserved 6 → 0"), lines.join());
  ok(lines.includes("Can be spent 14 → 20"), lines.join());
  const { reason, outcome } = await confirm(page, "End it");
  strictEqual(outcome, "Done. 6 credits returned.");
  deepStrictEqual(await recorded(reason), ["end-hold done"]);
  deepStrictEqual(await fundsOf(id), { credits: 20, reserved: 0, debt: 0 });
  await page.getByText("Nothing is reserved.").waitFor();
});

testInConsole("two accounts of one person are merged", async (page) => {
  const { id } = await openNewCustomer(page, 12);
  const other = await newCustomer(sql, 5);
  const otherId = await userIdOf(sql, other);
  await adjust(otherId, -8, { allow_debt: true });
  await open(page, "Merge");
  await dialogOf(page).getByLabel("The account that is given up").fill(other.phone_number);
  await page.keyboard.press("Enter");
  await dialogOf(page).getByText("It cannot be undone.").waitFor();
  const lines = await forecast(page);
  ok(lines.includes("Balance 12 → 9"), lines.join());
  // Nothing was merged by the search.
  strictEqual((await sql`select from public.users where merged_into = ${id}`).count, 0);
  const { reason, outcome } = await confirm(page, "Merge");
  strictEqual(outcome, "Done. The two accounts are one.");
  deepStrictEqual(await recorded(reason), ["merge-users done"]);
  deepStrictEqual(await fundsOf(id), { credits: 9, reserved: 0, debt: 0 });
  await page.getByText(other.phone_number).first().waitFor();
  await goTo(page, `#/customer/${otherId}`);
  await page.getByText("was merged into this one.").waitFor();
});

testInConsole("a merge gives up the account that was found last, and names it", async (page) => {
  const { id, phone_number } = await openNewCustomer(page, 12);
  const [former, other] = [await newCustomer(sql, 5), await newCustomer(sql, 6)];
  const otherId = await userIdOf(sql, other);
  const letGo = await holdAnswer(page, FIND);
  await open(page, "Merge");
  const dialog = dialogOf(page);
  await dialog.getByText(`Customer ${phone_number}`).waitFor();
  const field = dialog.getByLabel("The account that is given up");
  await field.fill(former.phone_number);
  await page.keyboard.press("Enter");
  await field.fill(other.phone_number);
  await page.keyboard.press("Enter");
  await dialog.getByText("It cannot be undone.").waitFor();
  await letGo();
  match((await forecast(page)).join(), new RegExp(`\\${other.phone_number} is given up`));
  await confirm(page, "Merge");
  const merged = await sql`select id from public.users where merged_into = ${id}`;
  deepStrictEqual(merged.map(({ id }) => id), [otherId]);
});

testInConsole("a number that is edited has to be found before it is merged", async (page) => {
  await openNewCustomer(page, 12);
  const [former, other] = [await newCustomer(sql, 5), await newCustomer(sql, 6)];
  await open(page, "Merge");
  const dialog = dialogOf(page);
  const field = dialog.getByLabel("The account that is given up");
  await field.fill(former.phone_number);
  await page.keyboard.press("Enter");
  await dialog.getByText("It cannot be undone.").waitFor();
  await dialog.getByLabel("Reason, for the record").fill("One person");
  await field.fill(other.phone_number);
  await dialog.getByText("Nothing yet: find the account that is given up.").waitFor();
  ok(await dialog.getByRole("button", { name: "Merge" }).isDisabled());
});

testInConsole(
  "an order that was paid at Razorpay is looked up there, and its credits arrive",
  async (page) => {
    const phone_number = newPhoneNumber();
    await newCustomer(sql, 1, { phone_number });
    await payForPackage(razorpay.control, phone_number, "starter");
    const id = await userIdOf(sql, { phone_number });
    await openCustomer(page, id);
    await open(page, "Look up at Razorpay");
    match((await forecast(page)).join(" "), /20 credits are granted, once: balance 1 → 21/);
    const { reason, outcome } = await confirm(page, "Ask Razorpay");
    strictEqual(outcome, "Done. Razorpay's payments: settled.");
    deepStrictEqual(await recorded(reason), ["settle-order settled"]);
    strictEqual((await fundsOf(id)).credits, 21);
    await page.getByText("20 credits granted").waitFor();
  },
);

testInConsole(
  "a person is erased, after the word was typed, and nothing can be done to them any more",
  async (page) => {
    const { id, phone_number } = await openNewCustomer(page, 3);
    await open(page, "Erase");
    ok(await dialogOf(page).getByRole("button", { name: "Erase for good" }).isDisabled());
    match(
      (await forecast(page)).join(" "),
      /1 number or id.*The balance of 3 credits is lost.*1 entry/,
    );
    await dialogOf(page).getByLabel("Type erase to go on").fill("erase");
    const { outcome } = await confirm(page, "Erase for good");
    strictEqual(outcome, "Done. The person is erased.");
    strictEqual((await sql`select from public.identities where value = ${phone_number}`).count, 0);
    const action = one(
      await sql`
    select operator, operator_id is not null as is_verified from public.operator_actions
    where user_id = ${id} and action = 'erase-user'`,
    );
    deepStrictEqual({ ...action }, { operator: operator.name, is_verified: true });
    await page.getByText("This person was erased").waitFor();
    strictEqual(await page.getByRole("group", { name: "What can be done" }).count(), 0);
  },
);

testInConsole("the bot is told of an event again", async (page) => {
  await forgetEvents(sql);
  await using bot = listenForEvents(secrets.eventsSecret);
  const { id } = await openNewCustomer(page, 9);
  await adjust(id, 2);
  await deliverTo([bot.url]);
  strictEqual(bot.arrivals.length, 1);
  await page.reload();
  await page.getByText("delivered", { exact: true }).waitFor();
  await open(page, "Send again");
  match(
    (await forecast(page)).join(" "),
    /1 event credits.granted is sent .*1 of 1 address had it/,
  );
  const { reason, outcome } = await confirm(page, "Send again");
  strictEqual(outcome, "Done. 1 event will be sent within a minute.");
  deepStrictEqual(await recorded(reason), ["resend-events done"]);
  await deliverTo([bot.url]);
  const ids = bot.arrivals.map(({ data }) => data.event_id);
  deepStrictEqual(ids, [ids[0], ids[0]]);
});

testInConsole(
  "a period's events are sent again in parts, and the page shows how far it is",
  async (page) => {
    await forgetEvents(sql);
    await using bot = listenForEvents(secrets.eventsSecret);
    bot.behave(acknowledged);
    const { id } = await openNewCustomer(page, 9);
    // The address becomes known.
    await deliverTo([bot.url]);
    // More in one day than a call takes.
    await sql`
    insert into public.events
      (user_id, type, data, credits, remaining_credits, sequence_number, state, created_at, handed_out_at)
    select ${id}, 'user.frozen', '{}', 9, 9, 1, 'handed_out',
      timestamptz '2026-01-02' + n * interval '6 seconds', timestamptz '2026-01-03'
    from generate_series(1, 12000) n`;
    await goTo(page, "#/attention");
    await open(page, "Send a period's events again");
    const dialog = dialogOf(page);
    await dialog.getByLabel("From").fill("2026-01-01T00:00");
    await dialog.getByLabel("Until").fill("2026-01-05T00:00");
    const reason = newTicket();
    await dialog.getByLabel("Reason, for the record").fill(reason);
    const seen = new Set<string>();
    await page.exposeFunction("note", (text: string) => seen.add(text));
    await page.evaluate(() => {
      const dialog = document.querySelector("dialog") as Element;
      new MutationObserver(() => {
        const text = dialog.querySelector(".progress span")?.textContent ?? "";
        (globalThis as unknown as { note(text: string): void }).note(text);
      }).observe(dialog, { subtree: true, childList: true, characterData: true });
    });
    await dialog.getByRole("button", { name: "Send again" }).click();
    await dialog.getByText("100 % of the period, 12,000 events will be sent").waitFor();
    ok(seen.size >= 4, [...seen].join("\n"));
    const parts = await recorded(reason);
    ok(parts.length > 4, parts.join());
    const waiting = one(
      await sql`select count(*)::integer as count from public.event_deliveries where state = 'pending'`,
    );
    strictEqual(waiting.count, 12_000);
    await forgetEvents(sql);
  },
);

/** How many calls of a function that is called in a loop are made, if the view is left during one. */
async function callsWhenLeft(
  page: Page,
  name: string,
  begin: () => Promise<void>,
): Promise<number> {
  const address = `**/functions/v1/${name}*`;
  let calls = 0;
  page.on("request", (request) => {
    if (request.method() !== "OPTIONS" && request.url().includes(`/${name}`)) calls++;
  });
  const letGo = await holdAnswer(page, address);
  const isAsked = page.waitForRequest(address);
  await begin();
  await isAsked;
  await goTo(page, "#/sales");
  await page.getByRole("heading", { name: "Sales", exact: true }).waitFor();
  await letGo();
  await goTo(page, "#/books");
  await page.getByRole("heading", { name: "Newest checks" }).waitFor();
  return calls;
}

testInConsole("what is sent again in parts ends with the view", async (page) => {
  await goTo(page, "#/attention");
  await open(page, "Send a period's events again");
  const dialog = dialogOf(page);
  await dialog.getByLabel("From").fill("2026-01-01T00:00");
  await dialog.getByLabel("Until").fill("2026-01-05T00:00");
  await dialog.getByLabel("Reason, for the record").fill("The bot lost them");
  const calls = await callsWhenLeft(page, "resend-events", () => open(page, "Send again"));
  strictEqual(calls, 1);
});

testInConsole("what is loaded page by page ends with the view", async (page) => {
  const { id } = await newCustomerWithHistory({ sql }, 1_200);
  await openCustomer(page, id);
  strictEqual(await callsWhenLeft(page, "list-entries", () => open(page, "Show all")), 1);
});

for (const [label, extension] of [["CSV", "csv"], ["JSON", "json"]] as const) {
  testInConsole(`a statement is saved as ${label}`, async (page) => {
    const { id } = await newBuyer({ spent: 2 });
    await openCustomer(page, id);
    await open(page, "Export a statement");
    await dialogOf(page).getByLabel(label).check();
    const saving = page.waitForEvent("download");
    await dialogOf(page).getByRole("button", { name: "Download" }).click();
    const file = await saving;
    strictEqual(file.suggestedFilename(), `statement-${id.slice(0, 8)}.${extension}`);
    const text = await Deno.readTextFile(await file.path());
    if (extension === "csv") strictEqual(text.trim().split("\n").length, 6);
    else strictEqual(JSON.parse(text).data.entries.length, 3);
    await dialogOf(page).getByText("Saved as").waitFor();
  });
}

testInConsole("a statement that does not come can be given up", async (page) => {
  await openNewCustomer(page, 3);
  await page.route(`**${EXPORT}*`, () => {});
  await open(page, "Export a statement");
  const ended: string[] = [];
  page.on("requestfailed", (request) => ended.push(request.url()));
  await open(page, "Download");
  await open(page, "Cancel");
  await dialogOf(page).waitFor({ state: "detached" });
  await until(
    "the download has ended",
    () => Promise.resolve(ended.some((url) => url.includes(EXPORT))),
  );
});

testInConsole("what needs attention has its remedy beside it", async (page) => {
  const { phone_number, id } = await newBuyer();
  // A second payment of one order buys nothing.
  const { checkout } = await payForPackage(razorpay.control, phone_number, "starter");
  await razorpay.control.payOrder(checkout.razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  await openCustomer(page, id);
  await page.getByRole("button", { name: "Look up at Razorpay" }).first().click();
  await confirm(page, "Ask Razorpay");
  const { flagged } = one(
    await sql`select id as flagged from public.payments p where flag = 'second_payment'`,
  );
  const debtor = await newCustomer(sql, 1);
  const debtorId = await userIdOf(sql, debtor);
  await adjust(debtorId, -3, { allow_debt: true });

  await goTo(page, "#/attention");
  const payment = page.getByRole("listitem").filter({ hasText: flagged });
  await payment.getByRole("button", { name: "Refund ₹99" }).click();
  match((await forecast(page)).join(" "), /₹99 goes back; 0 credits are taken/);
  const refunded = await confirm(page, "Refund ₹99");
  deepStrictEqual(await recorded(refunded.reason), [
    "refund-payment asked",
    "refund-payment refunded",
  ]);
  await payment.waitFor({ state: "detached" });

  const debt = page.getByRole("listitem").filter({ hasText: debtor.phone_number });
  await debt.getByRole("button", { name: "Forgive it" }).click();
  const forgiven = await confirm(page, "Forgive");
  deepStrictEqual(await recorded(forgiven.reason), ["forgive-debt done"]);
  await debt.waitFor({ state: "detached" });
});

testInConsole(
  "what needs attention is looked up whenever it is opened, and says as of when it is",
  async (page) => {
    const count = page.getByRole("link", { name: "Attention" }).locator(".count");
    const attention = page.getByRole("main");
    await goTo(page, "#/attention");
    const loadedAt = async () =>
      await attention.getByRole("status").locator("time")
        .getAttribute("datetime") ?? "";
    const first = await loadedAt();
    await goTo(page, "#/books");
    await page.getByRole("heading", { name: "The books" }).waitFor();
    const debtor = await newCustomer(sql, 1);
    await adjust(await userIdOf(sql, debtor), -3, { allow_debt: true });
    await goTo(page, "#/attention");
    await attention.getByRole("listitem").filter({ hasText: debtor.phone_number }).waitFor();
    ok(first !== "" && await loadedAt() > first);
    strictEqual(await count.innerText(), `${await attention.getByRole("listitem").count()}`);
  },
);

testInConsole(
  "what needs attention is looked up when it is opened, even while the page still waits for it",
  async (page) => {
    const letGo = await holdAnswer(page, "**/functions/v1/list-attention");
    const askedFor = page.waitForRequest("**/functions/v1/list-attention");
    await page.reload();
    await askedFor;
    const debtor = await newCustomer(sql, 1);
    await adjust(await userIdOf(sql, debtor), -3, { allow_debt: true });
    await goTo(page, "#/attention");
    const item = page.getByRole("listitem").filter({ hasText: debtor.phone_number });
    await item.waitFor();
    await letGo();
    ok(await item.isVisible());
  },
);

testInConsole("a refund whose answer was lost is finished from the list", async (page) => {
  const { paymentId, id } = await newBuyer();
  const reference = newTicket();
  // As ask_refund leaves it when the function ends before Razorpay has answered.
  await sql`
    select from public.ask_refund(
      payment_id => ${paymentId}, operator => 'Bela', reason => 'Wanted it back',
      reference_id => ${reference}, amount_paise => 5000)`;
  await sql`
    alter table public.operator_actions disable trigger user`;
  await sql`
    update public.operator_actions set created_at = created_at - interval '5 minutes'
    where reference_id = ${reference}`;
  await sql`alter table public.operator_actions enable trigger user`;
  await goTo(page, "#/attention");
  const item = page.getByRole("listitem").filter({ hasText: paymentId });
  await item.getByRole("button", { name: "Finish the refund" }).click();
  match((await forecast(page)).join(" "), /the refund of ₹50 of .*Nothing is refunded twice/);
  const { outcome } = await confirm(page, "Ask Razorpay again");
  match(outcome, /of ₹50/);
  strictEqual((await fundsOf(id)).credits, 13);
  await item.waitFor({ state: "detached" });
});

testInConsole(
  "sales per day and credits per action are shown for a period, as pictures and as numbers",
  async (page) => {
    await newBuyer({ spent: 4 });
    await goTo(page, "#/sales");
    const sales = page.getByRole("region", { name: "Sales per day" }).first();
    await sales.locator("p").getByText(/₹[\d,]+ by \d+ payments?, .* credits? sold\./).waitFor();
    await sales.getByText("The numbers", { exact: true }).click();
    strictEqual(await sales.getByRole("row").count(), 31);
    strictEqual(await sales.locator("svg rect").count(), 30);
    await page.getByRole("button", { name: "7 days" }).click();
    await until7(page);
    await sales.getByLabel("Keys").selectOption("live");
    await sales.locator("p").filter({ hasText: "₹0 by 0 payments" }).waitFor();
    const spent = page.getByRole("region", { name: "Credits spent per action" }).first();
    ok(await spent.getByRole("row").count() > 1);
  },
);

async function until7(page: Page): Promise<void> {
  await page.waitForFunction(() =>
    document.querySelectorAll("figure.bars svg")[0]?.querySelectorAll("rect").length === 7
  );
}

testInConsole("the books show when they were checked, and with what result", async (page) => {
  await sql`select from public.run_book_check()`;
  await goTo(page, "#/books");
  await page.getByText("The books are right, as far as they were checked.").waitFor();
  await sql`
    insert into public.book_violations (invariant, subject, detail, user_id)
    values ('balance_is_the_sum', 'somebody', '12 is not 13', ${crypto.randomUUID()})`;
  try {
    await page.reload();
    await page.getByText("1 thing in the books is not right.").waitFor();
    await page.getByText("12 is not 13").waitFor();
  } finally {
    await sql`update public.book_violations set gone_at = now()`;
  }
});

testInConsole("who did what is filtered by operator and by customer", async (page) => {
  const { id, phone_number } = await openNewCustomer(page, 5);
  const [one, another] = [newTicket(), newTicket()];
  await adjust(id, 1, { operator: "Bela", reason: one });
  await adjust(id, 2, { operator: "Chitra", reason: another });
  await goTo(page, "#/actions");
  await page.getByText(another).waitFor();
  await page.getByRole("textbox", { name: "Operator" }).fill("Bela");
  await page.getByRole("textbox", { name: "Customer" }).fill(phone_number);
  await open(page, "Filter");
  await page.getByText(another).waitFor({ state: "detached" });
  await page.getByText(one).waitFor();
  await page.getByText("balance 5 → 6").waitFor();
  await page.getByRole("list", { name: "Actions, newest first" }).getByText("Details").click();
  await page.getByText("credits: 1", { exact: true }).waitFor();
});
