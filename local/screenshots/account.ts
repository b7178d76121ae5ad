/**
 * The states of the account page.
 * @module
 */

import type { FrameLocator } from "playwright-core";
import { callFunction, type Shot, type Stage } from "./stage.ts";

/** The entries of the sample customer, with the days before today on which they happened. */
const STORY: readonly (readonly [days: number, action: string, quantity: number])[] = [
  [21, "image_generation", 1],
  [19, "image_generation", 2],
  [18, "starter", 1],
  [17, "video_generation", 1],
  [15, "voice_message", 75],
  [12, "chat", 1800],
  [11, "image_generation", 4],
  [8, "video_generation", 1],
  [6, "starter", 1],
  [3, "image_generation", 3],
  [1, "voice_message", 40],
  [0, "image_generation", 1],
];
const DAY_MS = 24 * 60 * 60 * 1000;

/** The size of a picture in the docs, in CSS pixels. */
const DOCS_SIZE = { width: 390, height: 844 };

/** Every state of the page, on a phone, and one on a wide screen. */
export const ACCOUNT_SHOTS: readonly Shot[] = [
  { name: "account", prepare: (stage) => openAccount(stage) },
  {
    name: "account-hindi",
    locale: "hi-IN",
    prepare: (stage) => openAccount(stage),
  },
  {
    name: "account-wide",
    size: { width: 1280, height: 900 },
    prepare: (stage) => openAccount(stage),
  },
  {
    name: "account-small",
    size: { width: 320, height: 640 },
    prepare: (stage) => openAccount(stage),
  },
  {
    name: "account-new",
    prepare: async (stage) => await open(stage, await linkOf(stage, newPhoneNumber())),
  },
  {
    name: "account-reserved",
    prepare: (stage) =>
      openAccount(stage, async (phone_number) => {
        await callFunction(stage, "bot-reserve", {
          phone_number,
          reference_id: "job-1",
          action: "video_generation",
        });
      }),
  },
  {
    name: "account-debt",
    prepare: (stage) =>
      openAccount(stage, async (phone_number) => {
        const paymentId = await buy(stage, phone_number);
        await spend(stage, phone_number, "image_generation", 30);
        await stage.razorpay.refund(paymentId);
        await stage.razorpay.webhooksDelivered();
      }),
  },
  {
    name: "account-frozen",
    prepare: (stage) =>
      openAccount(stage, async (phone_number) => {
        const [user] = await stage.sql`
          select id from public.users where phone_number = ${phone_number}`;
        await callFunction(stage, "freeze-user", {
          user_id: user?.id,
          operator: "Asha",
          reason: "Asked for it",
          reference_id: crypto.randomUUID(),
        });
      }),
  },
  {
    name: "account-whatsapp",
    prepare: async (stage) => {
      const whatsapp_user_id = `IN.${crypto.randomUUID().replaceAll("-", "")}`;
      const { url } = await callFunction(stage, "bot-link", { whatsapp_user_id });
      await open(stage, String(url));
    },
  },
  { name: "account-chosen", prepare: chooseStarter },
  {
    name: "account-checkout",
    prepare: async (stage) => void await openCheckout(stage),
  },
  {
    name: "account-paid",
    prepare: pay,
  },
  {
    name: "account-confirming",
    prepare: async (stage) => {
      await stage.page.route("**/verify-payment", (route) => route.abort());
      await (await openCheckout(stage)).getByRole("button", { name: /^Pay ₹/ }).click();
      await heading(stage, "Checking your payment");
    },
  },
  {
    name: "account-pending",
    prepare: async (stage) => {
      await stage.page.clock.install();
      await stage.page.route("**/verify-payment", (route) => route.abort());
      await (await openCheckout(stage)).getByRole("button", { name: /^Pay ₹/ }).click();
      await heading(stage, "Checking your payment");
      for (let minute = 0; minute < 4; minute++) await stage.page.clock.runFor(60_000);
      await heading(stage, "Not confirmed yet");
    },
  },
  {
    name: "account-failed",
    prepare: async (stage) => {
      const checkout = await openCheckout(stage);
      await checkout.getByRole("button", { name: "Fail" }).click();
      await checkout.getByText("You can try again.").waitFor();
      await leave(checkout);
      await heading(stage, "The payment failed");
    },
  },
  {
    name: "account-closed",
    prepare: async (stage) => {
      await leave(await openCheckout(stage));
      await heading(stage, "You closed the payment window");
    },
  },
  {
    name: "account-blocked",
    prepare: async (stage) => {
      await stage.page.route("**/checkout.js", (route) => route.abort());
      await openAccount(stage);
      await stage.page.getByRole("radio").first().check();
      await stage.page.getByText("payment window did not load").waitFor();
    },
  },
  {
    name: "account-offline",
    prepare: async (stage) => {
      await chooseStarter(stage);
      await stage.page.context().setOffline(true);
      await stage.page.getByText("You are offline.").waitFor();
    },
  },
  {
    name: "account-under-way",
    prepare: (stage) =>
      openAccount(stage, async (phone_number) => {
        const order_id = await order(stage, phone_number);
        await stage.razorpay.payOrder(order_id, { outcome: "authorized" });
        await stage.razorpay.webhooksDelivered();
      }),
  },
  {
    name: "account-expired",
    prepare: async (stage) => {
      await stage.page.clock.setFixedTime(Date.now() + DAY_MS);
      await open(stage, await linkOf(stage, newPhoneNumber()));
    },
  },
  {
    name: "docs-account",
    isForDocs: true,
    size: DOCS_SIZE,
    prepare: (stage) => openAccount(stage),
  },
  { name: "docs-account-paid", isForDocs: true, size: DOCS_SIZE, prepare: pay },
  { name: "account-missing", prepare: (stage) => open(stage, stage.stack.pages.account) },
];

async function openAccount(
  stage: Stage,
  before: (phoneNumber: string) => Promise<void> = async () => {},
): Promise<void> {
  const phoneNumber = await newSampleCustomer(stage);
  await before(phoneNumber);
  await open(stage, await linkOf(stage, phoneNumber));
}

/** Makes a customer with a history of some weeks. Returns the number. */
export async function newSampleCustomer(stage: Stage): Promise<string> {
  const phoneNumber = newPhoneNumber();
  await linkOf(stage, phoneNumber);
  for (const [, action, quantity] of STORY) {
    if (action === "starter") await buy(stage, phoneNumber);
    else await spend(stage, phoneNumber, action, quantity);
  }
  await spreadOverDays(stage, phoneNumber);
  return phoneNumber;
}

/** Opens a page and waits until it has loaded. */
async function open({ page }: Stage, url: string): Promise<void> {
  await page.goto(url);
  await page.locator("main:not(:has([aria-busy]))").waitFor();
}

async function chooseStarter(stage: Stage): Promise<void> {
  await openAccount(stage);
  await stage.page.getByRole("radio").first().check();
  await stage.page.getByRole("button", { name: "Pay ₹99" }).waitFor();
}

/** Opens Checkout, and returns its window. */
async function openCheckout(stage: Stage): Promise<FrameLocator> {
  await chooseStarter(stage);
  await stage.page.getByRole("button", { name: "Pay ₹99" }).click();
  const checkout = stage.page.frameLocator("iframe");
  await checkout.getByRole("button", { name: "Leave" }).waitFor();
  return checkout;
}

async function pay(stage: Stage): Promise<void> {
  const checkout = await openCheckout(stage);
  await checkout.getByRole("button", { name: /^Pay ₹/ }).click();
  await heading(stage, "Payment received");
  await stage.page.evaluate("scrollTo(0, 0)");
}

async function leave(checkout: FrameLocator): Promise<void> {
  await checkout.getByRole("button", { name: "Leave" }).click();
  await checkout.getByRole("button", { name: "Yes, leave" }).click();
}

async function heading({ page }: Stage, name: string): Promise<void> {
  await page.getByRole("heading", { name }).waitFor();
}

async function linkOf(stage: Stage, phone_number: string): Promise<string> {
  return String((await callFunction(stage, "bot-link", { phone_number })).url);
}

async function order(stage: Stage, phone_number: string): Promise<string> {
  const body = { phone_number, package_id: "starter" };
  return String((await callFunction(stage, "create-order", body)).order_id);
}

/** Buys a package, and returns the payment. */
export async function buy(stage: Stage, phone_number: string): Promise<string> {
  const order_id = await order(stage, phone_number);
  const { razorpay_payment_id } = await stage.razorpay.payOrder(order_id, { outcome: "captured" });
  await stage.razorpay.webhooksDelivered();
  return razorpay_payment_id;
}

async function spend(stage: Stage, phone_number: string, action: string, quantity: number) {
  const reference_id = crypto.randomUUID();
  await callFunction(stage, "bot-deduct", { phone_number, action, quantity, reference_id });
}

/** Moves the entries into the past, which the ledger refuses everybody but the owner of its tables. */
async function spreadOverDays({ sql }: Stage, phoneNumber: string): Promise<void> {
  const days = [23, ...STORY.map(([days]) => days)];
  await sql.begin(async (sql) => {
    await sql`alter table public.credit_transactions disable trigger user`;
    for (const [index, age] of days.entries()) {
      const at = new Date(Date.now() - age * DAY_MS - (days.length - index) * 37 * 60 * 1000);
      await sql`
        update public.credit_transactions t set created_at = ${at}
        from public.users u
        where u.id = t.user_id and u.phone_number = ${phoneNumber}
          and t.sequence_number = ${index + 1}`;
    }
    await sql`alter table public.credit_transactions enable trigger user`;
  });
}

/** A number that nobody else has. */
export function newPhoneNumber(): string {
  const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
  return `+9198${String(number % 100_000_000).padStart(8, "0")}`;
}
