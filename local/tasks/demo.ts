/**
 * `deno task demo`: the story of one customer, with every request and every answer.
 *
 * It is played on the stack that runs already, or else on one of its own. What a bot does goes
 * through plain HTTP, what a page does through supabase-js. Every answer is compared with the story.
 * @module
 */
import { createClient, FunctionsHttpError, type SupabaseClient } from "@supabase/supabase-js";
import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { isDeepStrictEqual, parseEnv } from "node:util";
import { z } from "zod";
import { readIfPresent } from "../system/files.ts";
import { runTask, TaskError } from "../system/task.ts";
import { connectControl } from "../razorpay/control-client.ts";
import { readSettings } from "../system/settings.ts";
import { withTemporaryStack } from "../stack/temporary.ts";

const PACKAGE_ID = "starter";
const LOOK_TIMEOUT_MS = 2_000;
const LINE_WIDTH = 96;
const LONGEST_TEXT = 72;

const RunningStack = z.object({
  SUPABASE_URL: z.url(),
  SUPABASE_PUBLISHABLE_KEY: z.string(),
  BOT_SECRET: z.string(),
  RAZORPAY_API_URL: z.url(),
});

/** What the story needs to know of a stack. */
type Backend = z.infer<typeof RunningStack>;

/** Reads the addresses of the stack of this folder. A stack that was killed leaves its file behind. */
async function findRunningStack(localDir: string): Promise<Backend | undefined> {
  const text = await readIfPresent(join(localDir, "stack.env"));
  if (text === undefined) return undefined;
  const stack = RunningStack.parse(parseEnv(text));
  return await answers(stack.SUPABASE_URL) ? stack : undefined;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LOOK_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** One request and its answer. */
interface Exchange {
  method: string;
  path: string;
  body?: unknown;
  httpStatus: number;
  answer: unknown;
}

/** What an answer has to be like. Fields that are not named may be anything. */
interface Expected {
  httpStatus: number;
  answer: unknown;
}

async function playStory(backend: Backend): Promise<void> {
  const bot = new Bot(backend);
  // An Indian mobile number that nobody has seen before.
  const phone_number = `+9198${String(randomInt(100_000_000)).padStart(8, "0")}`;

  tell("Somebody new writes to the bot. The bot asks for the balance.");
  check(await bot.get(`bot-credits/${phone_number}`), {
    httpStatus: 200,
    answer: {
      status: "SUCCESS",
      message: "You have 3 credits remaining.",
      data: { remaining_credits: 3, user_exists: true },
    },
  });

  const balances = ["2 credits", "1 credit", "no credits"];
  for (const [index, balance] of balances.entries()) {
    tell(`The bot makes image ${index + 1} and takes a credit for it.`);
    check(await bot.post("bot-deduct", { phone_number, reference_id: messageId() }), {
      httpStatus: 200,
      answer: {
        status: "SUCCESS",
        message: `Image generated successfully. You have ${balance} remaining.`,
        data: { remaining_credits: balances.length - 1 - index },
      },
    });
  }

  tell("A fourth image is one too many.");
  check(await bot.post("bot-deduct", { phone_number, reference_id: messageId() }), {
    httpStatus: 200,
    answer: {
      status: "INSUFFICIENT_CREDITS",
      message: "You have no credits left. Please purchase a plan to continue.",
      data: { remaining_credits: 0 },
    },
  });

  tell("The bot sends a link to the customer's own page. Its token proves the number there.");
  const link = await bot.post("bot-link", { phone_number });
  check(link, {
    httpStatus: 200,
    answer: { status: "SUCCESS", message: "Link created successfully" },
  });
  const page = new Page(backend, parseData(LinkData, link).token);

  tell("The customer opens the page and orders a package.");
  const order = await page.post("create-order", { package_id: PACKAGE_ID, phone_number });
  check(order, {
    httpStatus: 200,
    answer: {
      status: "SUCCESS",
      message: "Order created successfully",
      data: { currency: "INR", package: { id: PACKAGE_ID } },
    },
  });
  const { order_id, package: { credits } } = parseData(OrderData, order);

  if (!isStandIn(backend.RAZORPAY_API_URL)) {
    console.log(
      "\nThe story stops here: with keys of Razorpay only a person can pay, in Checkout.",
    );
    return;
  }
  tell("The customer pays. The Razorpay stand-in answers what Checkout hands to the page.");
  const payment = await pay(backend, order_id);
  check(payment, { httpStatus: 200, answer: { razorpay_order_id: order_id } });
  const checkout = Checkout.parse(payment.answer);

  tell("The page reports the payment, and the credits are there.");
  check(await page.post("verify-payment", { ...checkout, phone_number, package_id: PACKAGE_ID }), {
    httpStatus: 200,
    answer: {
      status: "SUCCESS",
      message: "Payment verified and credits added successfully",
      data: {
        payment_id: checkout.razorpay_payment_id,
        order_id,
        credits_added: credits,
        remaining_credits: credits,
      },
    },
  });

  tell("The page shows the profile.");
  const profile = await page.get(`users/${phone_number}`);
  check(profile, {
    httpStatus: 200,
    answer: {
      status: "SUCCESS",
      message: "User profile retrieved successfully",
      data: { phone_number, credits },
    },
  });
  const { id: user_id } = parseData(ProfileData, profile);

  tell("The page shows the history: every movement, newest first, with the balance after it.");
  const spent = { action: "debit", credits: 1, source: "image_generation" };
  check(await page.get(`credit-history/${user_id}`), {
    httpStatus: 200,
    answer: {
      status: "SUCCESS",
      message: "Credit history retrieved successfully",
      data: {
        user_id,
        transactions: [
          {
            action: "credit",
            credits,
            source: "payment",
            reference_id: checkout.razorpay_payment_id,
            balance_after: credits,
          },
          { ...spent, balance_after: 0 },
          { ...spent, balance_after: 1 },
          { ...spent, balance_after: 2 },
          { action: "credit", credits: 3, source: "system", balance_after: 3 },
        ],
        total: 5,
        next_cursor: null,
      },
    },
  });

  tell("Another time the customer pays and closes the browser before the page can report it.");
  const again = await page.post("create-order", { package_id: PACKAGE_ID, phone_number });
  const { order_id: secondOrderId } = parseData(OrderData, again);
  check(again, { httpStatus: 200, answer: { status: "SUCCESS" } });
  check(await pay(backend, secondOrderId), { httpStatus: 200, answer: {} });

  tell(
    "Nobody calls verify-payment. Razorpay's webhook reports the payment, and the credits come.",
  );
  await webhooksDelivered(backend);
  check(await bot.get(`bot-credits/${phone_number}`), {
    httpStatus: 200,
    answer: { status: "SUCCESS", data: { remaining_credits: credits * 2 } },
  });

  console.log("\nEvery answer was what the story says.");
}

const LinkData = z.object({ token: z.string() });

const OrderData = z.object({
  order_id: z.string(),
  package: z.object({ credits: z.int() }),
});

const ProfileData = z.object({ id: z.uuid() });

const Checkout = z.object({
  razorpay_order_id: z.string(),
  razorpay_payment_id: z.string(),
  razorpay_signature: z.string(),
});

function parseData<Data>(data: z.ZodType<Data>, { answer }: Exchange): Data {
  return z.object({ data }).parse(answer).data;
}

/** What WhatsApp calls a message: the reference of what is done for it. */
function messageId(): string {
  return `wamid.${randomBytes(8).toString("hex").toUpperCase()}`;
}

/** A bot: plain HTTP, with the secret that it shares with the functions. */
class Bot {
  constructor(private readonly backend: Backend) {}

  get(path: string): Promise<Exchange> {
    return this.#send({ method: "GET", path });
  }

  post(path: string, body: unknown): Promise<Exchange> {
    return this.#send({ method: "POST", path, body });
  }

  async #send(request: { method: string; path: string; body?: unknown }): Promise<Exchange> {
    const { SUPABASE_URL, BOT_SECRET } = this.backend;
    const response = await fetch(`${SUPABASE_URL}/functions/v1/${request.path}`, {
      method: request.method,
      headers: { "x-bot-secret": BOT_SECRET, "content-type": "application/json" },
      body: request.body === undefined ? undefined : JSON.stringify(request.body),
    });
    return {
      ...request,
      path: `/functions/v1/${request.path}`,
      httpStatus: response.status,
      answer: await response.json(),
    };
  }
}

/** A page in a browser, opened by the bot's link: supabase-js, with the publishable key. */
class Page {
  readonly #client: SupabaseClient;

  constructor(
    { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY }: Backend,
    private readonly accessToken: string,
  ) {
    this.#client = createClient(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    });
  }

  async get(path: string): Promise<Exchange> {
    return await this.#send("GET", path);
  }

  async post(path: string, body: Record<string, unknown>): Promise<Exchange> {
    return await this.#send("POST", path, body);
  }

  async #send(
    method: "GET" | "POST",
    path: string,
    body?: Record<string, unknown>,
  ): Promise<Exchange> {
    const { data, error, response } = await this.#client.functions.invoke(path, {
      method,
      body,
      headers: { "x-access-token": this.accessToken },
    });
    // supabase-js hands out an answer with an error status unread.
    if (error && !(error instanceof FunctionsHttpError)) throw error;
    return {
      method,
      path: `/functions/v1/${path}`,
      body,
      httpStatus: response?.status ?? 0,
      answer: error ? await error.context.json() : data,
    };
  }
}

/** Plays the customer in Razorpay's Checkout. */
async function pay({ RAZORPAY_API_URL }: Backend, orderId: string): Promise<Exchange> {
  const path = `/_control/orders/${orderId}/pay`;
  const body = { outcome: "captured" };
  const response = await fetch(RAZORPAY_API_URL + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { method: "POST", path, body, httpStatus: response.status, answer: await response.json() };
}

/** A stack that stops while Razorpay's webhooks are on their way would look like one that fails. */
async function webhooksDelivered({ RAZORPAY_API_URL }: Backend): Promise<void> {
  if (isStandIn(RAZORPAY_API_URL)) await connectControl(RAZORPAY_API_URL).settleWebhooks();
}

/** Razorpay itself has no routes that play the customer. */
function isStandIn(razorpayUrl: string): boolean {
  return new URL(razorpayUrl).hostname === "127.0.0.1";
}

function tell(sentence: string): void {
  console.log(`\n${sentence}`);
}

/** Shows the exchange, and throws if the answer is not what the story says. */
function check({ method, path, body, httpStatus, answer }: Exchange, expected: Expected): void {
  const request = body === undefined ? "" : ` ${layOut(body)}`;
  console.log(indent(`\n${method} ${path}${request}\n${httpStatus} ${layOut(answer)}`));
  if (httpStatus === expected.httpStatus && contains(answer, expected.answer)) return;
  throw new TaskError(
    `The story says that ${method} ${path} answers ${expected.httpStatus} with\n` +
      `${layOut(expected.answer)}\nand the answer was another one, shown above.`,
  );
}

/** Tells whether everything that is expected is there; objects may hold more than that. */
function contains(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected)) {
    return Array.isArray(actual) && actual.length === expected.length &&
      expected.every((entry, index) => contains(actual[index], entry));
  }
  if (!isRecord(expected)) return isDeepStrictEqual(actual, expected);
  return isRecord(actual) &&
    Object.entries(expected).every(([name, value]) => contains(actual[name], value));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Writes JSON on one line where it fits, and else opens it up level by level. Long texts are cut. */
function layOut(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_name, entry) => typeof entry === "string" ? cut(entry) : entry,
  );
  if (text.length <= LINE_WIDTH || typeof value !== "object" || value === null) return text;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const entries = Array.isArray(value)
    ? value.map(layOut)
    : Object.entries(value).map(([name, entry]) => `${JSON.stringify(name)}: ${layOut(entry)}`);
  return `${open}\n${indent(entries.join(",\n"))}\n${close}`;
}

function cut(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}...`;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}

await runTask(async () => {
  const settings = readSettings();
  const running = await findRunningStack(settings.localDir);
  if (running) {
    console.log(`On the stack that runs at ${running.SUPABASE_URL}.`);
    await playStory(running);
  } else {
    console.log("No stack runs, so this starts one of its own.");
    await withTemporaryStack(settings, async ({ environment }) => {
      // The functions run in this process here, and would log between the lines of the story.
      console.info = () => {};
      await playStory(environment);
      await webhooksDelivered(environment);
    });
  }
  Deno.exit(0);
});
