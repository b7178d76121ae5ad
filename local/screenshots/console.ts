/**
 * The states of the operator's console.
 * @module
 */

import { z } from "zod";
import { buy, newPhoneNumber, newSampleCustomer } from "./account.ts";
import { consoleStates, type SceneCast, type SceneCustomer, signIn } from "./console-states.ts";
import { callFunction, type Shot, type Stage } from "./stage.ts";

const DESK = { width: 1280, height: 900 };
const SMALL = { width: 320, height: 640 };

/** Whose pages are shown is known once the stack runs; the states are the same for everybody. */
const NOBODY: SceneCustomer = { phone_number: "", id: "" };
const STATES = consoleStates({ customer: NOBODY, debtor: NOBODY }).map(({ name }) => name);

/** Every state of the console, at a desk, and one on a narrow screen. */
export const CONSOLE_SHOTS: readonly Shot[] = [
  { name: "console-sign-in", size: DESK, prepare: open },
  {
    name: "console-refused",
    size: DESK,
    prepare: async (stage) => {
      await open(stage);
      await signIn(stage.page, { email: "asha@example.com", password: "something else" });
      await stage.page.getByRole("alert").waitFor();
    },
  },
  {
    name: "console-not-an-operator",
    size: DESK,
    prepare: async (stage) => {
      await open(stage);
      await signIn(stage.page, await newUserOfAuth(stage));
      await stage.page.getByRole("heading", { name: "Not an operator" }).waitFor();
    },
  },
  ...STATES.map((name): Shot => ({
    name: `console-${name}`,
    size: DESK,
    prepare: (stage) => show(stage, name),
  })),
  { name: "console-small", size: SMALL, prepare: (stage) => show(stage, "customer") },
  {
    name: "docs-console",
    isForDocs: true,
    size: DESK,
    prepare: async (stage) => {
      await show(stage, "customer");
      await stage.page.evaluate("document.activeElement.blur()");
    },
  },
];

async function open({ page, stack }: Stage): Promise<void> {
  await page.goto(stack.pages.console);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

/** Signs in as an operator, and brings the console into a state. */
async function show(stage: Stage, name: string): Promise<void> {
  const cast = await castOf(stage);
  await open(stage);
  await signIn(stage.page, await newOperator(stage));
  await stage.page.getByRole("navigation").waitFor();
  await consoleStates(cast).find((state) => state.name === name)?.show(stage.page);
}

const casts = new WeakMap<Stage["stack"], Promise<SceneCast>>();

/** The customers of a stack, who are made once. */
function castOf(stage: Stage): Promise<SceneCast> {
  const cast = casts.get(stage.stack) ?? newCast(stage);
  casts.set(stage.stack, cast);
  return cast;
}

async function newCast(stage: Stage): Promise<SceneCast> {
  const customer = await identified(stage, await newSampleCustomer(stage));
  await callFunction(stage, "bot-reserve", {
    phone_number: customer.phone_number,
    reference_id: "wamid.HBgMOTE5ODc2NTQzMjEw",
    action: "video_generation",
  });
  const act = { operator: "Asha", reason: "The video came out black" };
  await callFunction(stage, "adjust-credits", {
    ...act,
    user_id: customer.id,
    credits: 5,
    reference_id: "ticket-4711",
  });

  const phone_number = newPhoneNumber();
  const payment_id = await buy(stage, phone_number);
  const debtor = await identified(stage, phone_number);
  await callFunction(stage, "bot-deduct", {
    phone_number,
    action: "image_generation",
    quantity: 15,
    reference_id: "wamid.HBgMOTE5ODc2NTQzMjEx",
  });
  await callFunction(stage, "refund-payment", {
    ...act,
    payment_id,
    reference_id: "ticket-4712",
  });
  await stage.razorpay.webhooksDelivered();
  await stage.sql`select from public.run_book_check()`;
  return { customer, debtor };
}

async function identified({ sql }: Stage, phone_number: string): Promise<SceneCustomer> {
  const [user] = await sql`select id from public.users where phone_number = ${phone_number}`;
  return { phone_number, id: z.uuid().parse(user?.id) };
}

interface Credentials {
  readonly email: string;
  readonly password: string;
}

async function newUserOfAuth({ stack: { environment } }: Stage): Promise<Credentials> {
  const user = { email: `${crypto.randomUUID()}@example.com`, password: crypto.randomUUID() };
  const response = await fetch(`${environment.SUPABASE_URL}/auth/v1/admin/users`, {
    method: "POST",
    headers: { apikey: environment.SUPABASE_SECRET_KEY, "content-type": "application/json" },
    body: JSON.stringify({ ...user, email_confirm: true }),
  });
  if (!response.ok) throw new Error(`Auth makes no user: ${await response.text()}`);
  await response.body?.cancel();
  return user;
}

async function newOperator(stage: Stage): Promise<Credentials> {
  const user = await newUserOfAuth(stage);
  await stage.sql`select from public.add_operator(${user.email}, 'Asha', 'owner')`;
  return user;
}
