/**
 * Every state of the operator's console, for screenshots and for tests.
 * @module
 */

import type { Locator, Page } from "playwright-core";

/** A customer whom the states are about. */
export interface SceneCustomer {
  readonly phone_number: string;
  readonly id: string;
}

/** Enters somebody's address and password. */
export async function signIn(
  page: Page,
  { email, password }: { readonly email: string; readonly password: string },
): Promise<void> {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Goes to a view by its address. */
export async function goTo(page: Page, hash: string): Promise<void> {
  await page.evaluate((hash) => location.hash = hash, hash);
}

/** Goes to the page of a customer, and waits until it is there. */
export async function openCustomer(page: Page, userId: string): Promise<void> {
  await goTo(page, `#/customer/${userId}`);
  await page.getByRole("group", { name: "What can be done" }).waitFor();
}

/** A state of the console: how a signed-in operator gets there. */
export interface ConsoleState {
  readonly name: string;
  readonly show: (page: Page) => Promise<void>;
}

/** Who is in the scenes. */
export interface SceneCast {
  readonly customer: SceneCustomer;
  readonly debtor: SceneCustomer;
}

/** Every state of the console once somebody has signed in. Each can follow each other one. */
export function consoleStates({ customer, debtor }: SceneCast): readonly ConsoleState[] {
  const dialog = (
    name: string,
    whose: SceneCustomer,
    button: string,
    fill?: Fill,
  ): ConsoleState => ({
    name,
    async show(page) {
      await openCustomer(page, whose.id);
      await page.getByRole("button", { name: button, exact: true }).first().click();
      await page.getByRole("dialog").waitFor();
      await fill?.(page.getByRole("dialog"));
    },
  });
  const view = (name: string, hash: string, heading: string): ConsoleState => ({
    name,
    async show(page) {
      await goTo(page, hash);
      await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
      await page.locator(".loading").waitFor({ state: "detached" });
    },
  });
  const unfolded = ({ name, show }: ConsoleState): ConsoleState => ({
    name: `${name}-numbers`,
    async show(page) {
      await show(page);
      for (const summary of await page.locator("summary").all()) await summary.click();
    },
  });
  const person: ConsoleState = {
    name: "customer",
    show: (page) => openCustomer(page, customer.id),
  };
  const sales = view("sales", "#/sales", "Sales");
  const actions = view("actions", "#/actions", "Who did what");
  return [
    view("find", "#/find", "Find a customer"),
    {
      name: "nothing-found",
      async show(page) {
        await page.getByRole("searchbox").fill("pay_00000000000000");
        await page.getByRole("search", { name: "Customers" }).getByRole("button").click();
        await page.getByText("No customer was found.").waitFor();
      },
    },
    person,
    unfolded(person),
    dialog("give", customer, "Give or take credits", async (dialog) => {
      await dialog.getByLabel("Credits", { exact: true }).fill("5");
      await dialog.getByLabel("Reason, for the record").fill("The video came out black");
    }),
    dialog("take", debtor, "Give or take credits", async (dialog) => {
      await dialog.getByLabel("Take").check();
      await dialog.getByLabel("Credits", { exact: true }).fill("5");
    }),
    dialog("freeze", customer, "Freeze"),
    dialog("forgive", debtor, "Forgive the debt"),
    dialog("refund", customer, "Refund", async (dialog) => {
      await dialog.getByLabel("A part of it").check();
      await dialog.getByLabel("Rupees").fill("20.50");
    }),
    dialog("settle", customer, "Look up at Razorpay"),
    dialog("end-hold", customer, "End"),
    dialog("merge", customer, "Merge", async (dialog) => {
      await dialog.getByLabel("The account that is given up").fill(debtor.phone_number);
      await dialog.getByRole("button", { name: "Find" }).click();
      await dialog.getByText("It cannot be undone.").waitFor();
    }),
    dialog("erase", customer, "Erase"),
    dialog("send-again", customer, "Send again"),
    dialog("statement", customer, "Export a statement"),
    dialog("refused", customer, "Give or take credits", async (dialog) => {
      const page = dialog.page();
      await dialog.getByLabel("Credits", { exact: true }).fill("5");
      await dialog.getByLabel("Reason, for the record").fill("Too much");
      await page.route("**/adjust-credits", (route) => {
        if (route.request().method() !== "POST") return route.continue();
        return route.fulfill({
          status: 409,
          headers: { "access-control-allow-origin": "*" },
          json: { status: "ERROR", message: "Not enough", code: "NOT_ENOUGH_CREDITS" },
        });
      });
      await dialog.getByRole("button", { name: "Give credits" }).click();
      await dialog.getByText("Nothing was changed").waitFor();
      await page.unroute("**/adjust-credits");
    }),
    dialog("answer-lost", customer, "Give or take credits", async (dialog) => {
      const page = dialog.page();
      await dialog.getByLabel("Credits", { exact: true }).fill("5");
      await dialog.getByLabel("Reason, for the record").fill("Lost on the way");
      await page.route("**/adjust-credits", (route) => route.abort());
      await dialog.getByRole("button", { name: "Give credits" }).click();
      await dialog.getByText("It is not known").waitFor();
      await page.unroute("**/adjust-credits");
    }),
    dialog("done", debtor, "Export a statement", async (dialog) => {
      await dialog.getByRole("button", { name: "Download" }).click();
      await dialog.getByText("Saved as").waitFor();
    }),
    view("attention", "#/attention", "What needs attention"),
    {
      name: "send-period",
      async show(page) {
        await goTo(page, "#/attention");
        await page.getByRole("button", { name: "Send a period's events again" }).click();
        await page.getByRole("dialog").waitFor();
      },
    },
    sales,
    unfolded(sales),
    view("books", "#/books", "The books"),
    actions,
    unfolded(actions),
    {
      name: "password",
      async show(page) {
        await page.getByRole("button", { name: "Password" }).click();
        await page.getByRole("dialog").waitFor();
      },
    },
    {
      name: "not-reachable",
      async show(page) {
        await page.route("**/check-books", (route) => route.abort());
        await goTo(page, "#/find");
        await goTo(page, "#/books");
        await page.getByText("The backend did not answer.").waitFor();
        await page.unroute("**/check-books");
      },
    },
  ];
}

type Fill = (dialog: Locator) => Promise<void>;

/** Closes what a state has opened. */
export async function leaveState(page: Page): Promise<void> {
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
}
