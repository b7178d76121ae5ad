/**
 * The log of every function: what an operator needs, without any number, secret, token or signature.
 * @module
 */

import { ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { OPERATIONS } from "shared/contract/operations.ts";
import { setEnvironment } from "../../local/stack/stack.ts";
import { call, dataOf, type FunctionName, send } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { closedUrl, quotingServer } from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { linkTokenOf, signedIn } from "../support/proofs.ts";
import { act, newOperator } from "../support/operators.ts";
import { payForPackage, type Purchase } from "../support/purchases.ts";
import {
  deliver,
  named,
  settleByHand,
  type SignedEvent,
  startPaymentHarness,
} from "../support/payment-harness.ts";
import { history, newUser, profile } from "../support/accounts.ts";
import { newSecret } from "../support/signing.ts";
import { at, one } from "../support/lists.ts";
import { type LogLine, logLine, logOf } from "../support/log.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const shop = await startPaymentHarness();
const { control, environment, secrets } = shop;
Deno.test.afterAll(() => shop.stop());
setEnvironment({ FRONTEND_ACCESS: "phone-proof" });

async function linesOf(act: () => Promise<unknown>): Promise<LogLine[]> {
  return (await logOf(act)).map((text) => logLine.parse(JSON.parse(text)));
}

const { headers: signedInOperator } = await newOperator(shop);
const OPERATOR = { apikey: environment.SUPABASE_SECRET_KEY };
const PAGE = { apikey: environment.SUPABASE_PUBLISHABLE_KEY };

/** A customer, and everything about them that must stay private. */
interface Customer {
  phone: string;
  userId: string;
  whatsappUserId: string;
  reference: string;
  wrongSecret: string;
  link: { "x-access-token": string };
  session: { authorization: string };
  purchase: Purchase;
  event: SignedEvent;
}

async function newCustomer(): Promise<Customer> {
  const phone = newPhoneNumber();
  const purchase = await payForPackage(control, phone, "starter");
  const events = await shop.eventsAbout(purchase.checkout.razorpay_payment_id);
  const reference = `wamid.${randomUUID()}`;
  for (const held of ["captured", "released"]) {
    const body = { phone_number: phone, reference_id: `${reference}-${held}` };
    dataOf(await call("POST", "bot-reserve", { body }));
  }
  return {
    phone,
    userId: await newUser(phone),
    whatsappUserId: newWhatsappId(),
    reference,
    wrongSecret: newSecret(),
    link: { "x-access-token": await linkTokenOf(phone) },
    session: await signedIn(shop, phone),
    purchase,
    event: named(events, "payment.captured"),
  };
}

/** Requests of each function about the customer, whether they succeed or not. */
const REQUESTS: Record<string, (customer: Customer) => Promise<unknown>[]> = {
  "bot-credits": ({ phone, whatsappUserId, wrongSecret }) => [
    call("GET", `bot-credits/${phone}`),
    call("GET", `bot-credits?phone_number=${phone}&whatsapp_user_id=${whatsappUserId}`),
    call("GET", `bot-credits/${phone}9`),
    call("GET", `bot-credits/${phone}`, { headers: { "x-bot-secret": wrongSecret } }),
  ],
  "bot-deduct": ({ phone, reference }) => {
    const body = { phone_number: phone, reference_id: reference };
    return [
      call("POST", "bot-deduct", { body }),
      call("POST", "bot-deduct", { body }),
      call("POST", "bot-deduct", { body: { ...body, credits: 2 } }),
      call("POST", "bot-deduct", { body: { ...body, reference_id: null, credits: 1000 } }),
      call("POST", "bot-deduct", { body: `{"phone_number":"${phone}", ${reference}` }),
      call("POST", "bot-deduct", { body: {}, headers: { "idempotency-key": reference } }),
    ];
  },
  "bot-reserve": ({ phone, reference }) => {
    const body = { phone_number: phone, reference_id: `${reference}-held` };
    return [
      call("POST", "bot-reserve", { body }),
      call("POST", "bot-reserve", { body: { ...body, credits: 1000 } }),
      call("POST", "bot-reserve", { body: { ...body, action: phone } }),
      call("POST", "bot-reserve", { body: {}, headers: { "idempotency-key": reference } }),
    ];
  },
  "bot-capture": ({ phone, reference }) => {
    const body = { phone_number: phone, reference_id: `${reference}-captured` };
    return [
      call("POST", "bot-capture", { body }),
      call("POST", "bot-capture", { body: { ...body, reference_id: `${reference}-unknown` } }),
      call("POST", "bot-capture", { body: { ...body, credits: phone } }),
    ];
  },
  "bot-release": ({ phone, reference }) => {
    const body = { phone_number: phone, reference_id: `${reference}-released` };
    return [
      call("POST", "bot-release", { body }),
      call("POST", "bot-release", { body: { ...body, reference_id: `${reference}-unknown` } }),
      call("POST", "bot-release", { body: { ...body, phone_number: `${phone} home` } }),
    ];
  },
  "bot-prices": ({ wrongSecret }) => [
    call("GET", "bot-prices"),
    call("GET", "bot-prices", { headers: { "x-bot-secret": wrongSecret } }),
  ],
  "bot-link": ({ phone, whatsappUserId }) => [
    call("POST", "bot-link", { body: { phone_number: phone } }),
    call("POST", "bot-link", { body: { whatsapp_user_id: whatsappUserId } }),
    call("POST", "bot-link", { body: { whatsapp_user_id: `${whatsappUserId}!` } }),
  ],
  "bot-payment-link": ({ phone, reference }) => {
    const body = { phone_number: phone, package_id: "pro", reference_id: reference };
    const headers = { "x-bot-secret": environment.BOT_SECRET };
    return [
      call("POST", "bot-payment-link", { body, headers }),
      call("POST", "bot-payment-link", { body, headers }),
      call("POST", "bot-payment-link", { body: { ...body, package_id: phone }, headers }),
    ];
  },
  "users": ({ phone, link, session, wrongSecret }) => [
    profile(phone),
    profile(phone, link),
    profile(phone, session),
    profile(newPhoneNumber(), session),
    profile(phone, { "x-access-token": `${link["x-access-token"]}0` }),
    profile(phone, { authorization: `${session.authorization}0` }),
    profile(phone, { "x-bot-secret": wrongSecret }),
    call("GET", `users?phone_number=${phone}&phone_number=${phone}`, { headers: session }),
  ],
  "credit-history": ({ userId, link, session }) => [
    history(userId),
    history(userId, link),
    history(userId, session),
    history(randomUUID(), session),
  ],
  "create-order": ({ phone, session }) => {
    const body = { phone_number: phone, package_id: "popular" };
    return [
      call("POST", "create-order", { body }),
      call("POST", "create-order", { body, headers: session }),
      call("POST", "create-order", { body: { ...body, package_id: "unknown" } }),
      call("POST", "create-order", { body: { ...body, phone_number: `${phone} home` } }),
    ];
  },
  "verify-payment": ({ purchase: { checkout, phone, packageId }, link }) => {
    const body = { ...checkout, phone_number: phone, package_id: packageId };
    const razorpay_signature = checkout.razorpay_signature.slice(1);
    return [
      call("POST", "verify-payment", { body: { ...body, razorpay_signature } }),
      call("POST", "verify-payment", { body: { ...body, phone_number: newPhoneNumber() } }),
      call("POST", "verify-payment", { body, headers: link }),
      call("POST", "verify-payment", { body }),
    ];
  },
  "payment-return": ({ purchase: { checkout }, phone }) =>
    [
      { ...checkout },
      { ...checkout, razorpay_signature: checkout.razorpay_signature.slice(1) },
      { ...checkout, razorpay_order_id: phone },
      {
        "error[code]": phone,
        "error[description]": phone,
        "error[metadata]": `"order_id":"${phone}"`,
      },
    ].map((form: Record<string, string>) =>
      send("POST", "payment-return", { body: String(new URLSearchParams(form)) })
    ),
  "razorpay-webhook": ({ event }) => [
    deliver(event),
    deliver(event),
    deliver({ ...event, signature: event.signature.toUpperCase() }),
  ],
  "reconcile-payments": () => [
    call("POST", "reconcile-payments", { body: {}, headers: OPERATOR }),
    call("POST", "reconcile-payments", { body: {}, headers: PAGE }),
  ],
  "deliver-events": () => [
    call("POST", "deliver-events", { body: {}, headers: OPERATOR }),
    call("POST", "deliver-events", { body: {}, headers: PAGE }),
  ],
  "settle-order": ({ phone, purchase: { checkout } }) => {
    const body = {
      order: checkout.razorpay_order_id,
      operator: `Somebody, ${phone}`,
      reason: `Asked for by ${phone}`,
    };
    return [
      settleByHand(body, OPERATOR),
      settleByHand({ ...body, order: phone }, OPERATOR),
      settleByHand(body, PAGE),
    ];
  },
  "get-operator": ({ session }) => [
    call("GET", "get-operator", { headers: session }),
    call("GET", "get-operator", { headers: OPERATOR }),
    call("GET", "get-operator", { headers: signedInOperator }),
  ],
  "find-customer": ({ phone, whatsappUserId, reference }) =>
    [phone, whatsappUserId, reference, `${phone}!`].map((query) =>
      call("POST", "find-customer", { body: { query }, headers: OPERATOR })
    ),
  "export-statement": ({ userId, phone }) => [
    call("GET", `export-statement?user_id=${userId}`, { headers: OPERATOR }),
    send("GET", `export-statement?user_id=${userId}&format=csv`, { headers: OPERATOR }),
    call("GET", `export-statement?user_id=${phone}`, { headers: OPERATOR }),
  ],
  "get-customer": ({ userId, phone }) => [
    call("GET", `get-customer?user_id=${userId}`, { headers: OPERATOR }),
    call("GET", `get-customer?user_id=${phone}`, { headers: OPERATOR }),
    call("GET", `get-customer?user_id=${userId}`, { headers: PAGE }),
  ],
  "list-entries": ({ userId, phone }) => [
    call("GET", `list-entries?user_id=${userId}`, { headers: OPERATOR }),
    call("GET", `list-entries?user_id=${userId}&cursor=${phone}`, { headers: OPERATOR }),
  ],
  "list-actions-taken": ({ userId, phone }) => [
    call("GET", `list-actions-taken?user_id=${userId}`, { headers: OPERATOR }),
    call("GET", `list-actions-taken?operator=${phone}`, { headers: OPERATOR }),
    call("GET", `list-actions-taken?user_id=${phone}`, { headers: OPERATOR }),
  ],
  "sales-report": ({ phone }) => [
    call("GET", "sales-report?from=2026-11-01&to=2026-11-02", { headers: OPERATOR }),
    call("GET", `sales-report?from=2026-11-01&to=${phone}`, { headers: OPERATOR }),
  ],
  "list-attention": () => [call("GET", "list-attention", { headers: OPERATOR })],
  "check-books": () => [call("GET", "check-books", { headers: OPERATOR })],
  "adjust-credits": byOperator("adjust-credits", ({ userId }) => ({ user_id: userId, credits: 1 })),
  "forgive-debt": byOperator("forgive-debt", ({ userId }) => ({ user_id: userId })),
  "freeze-user": byOperator("freeze-user", ({ userId }) => ({ user_id: userId })),
  "unfreeze-user": byOperator("unfreeze-user", ({ userId }) => ({ user_id: userId })),
  "merge-users": byOperator("merge-users", ({ userId }) => ({
    from_user_id: userId,
    into_user_id: randomUUID(),
  })),
  "end-hold": byOperator("end-hold", ({ userId, reference }) => ({
    user_id: userId,
    hold_reference_id: reference,
  })),
  "resend-events": byOperator("resend-events", () => ({ event_id: randomUUID() })),
  "refund-payment": byOperator("refund-payment", ({ purchase: { checkout } }) => ({
    payment_id: checkout.razorpay_payment_id,
    amount_paise: 100,
  })),
  // Last, because nothing is left of the customer.
  "erase-user": byOperator("erase-user", ({ userId }) => ({ user_id: userId })),
};

/** Requests of an operator who mentions the customer wherever there is room for words. */
function byOperator(name: FunctionName, fields: (customer: Customer) => Record<string, unknown>) {
  return (customer: Customer) => {
    const { phone, reference } = customer;
    const action = {
      ...fields(customer),
      operator: `Somebody, ${phone}`,
      reason: `Asked for by ${phone} about ${reference}`,
      reference_id: `${name} for ${phone}`,
    };
    return [
      act(name, action, OPERATOR),
      act(name, action, OPERATOR),
      act(name, { ...action, user_id: phone, payment_id: phone, from_user_id: phone }, OPERATOR),
      act(name, action, PAGE),
    ];
  };
}

const quotingRazorpay = quotingServer();
Deno.test.afterAll(() => quotingRazorpay.stop());

/** Circumstances in which something different is logged. */
const WORLDS: Record<string, Record<string, string | undefined>> = {
  "all is well": {},
  "the database is away": { SUPABASE_URL: closedUrl() },
  "Razorpay is away": { RAZORPAY_API_URL: closedUrl() },
  "Razorpay refuses, and quotes what it was sent": { RAZORPAY_API_URL: quotingRazorpay.url },
  "the Data API does not know the key": {
    SUPABASE_SECRET_KEYS: undefined,
    SUPABASE_SECRET_KEY: "sb_secret_wrong",
  },
  "nothing is configured": {
    SUPABASE_SECRET_KEYS: undefined,
    BOT_SECRET: undefined,
    RAZORPAY_KEY_SECRET: undefined,
    RAZORPAY_WEBHOOK_SECRET: undefined,
    FRONTEND_URL: undefined,
  },
};

/** What must never be logged, by its description. */
function hidden(customer: Customer): Record<string, string> {
  const { phone, link, session, purchase, event } = customer;
  return {
    "the phone number": phone.slice(3),
    "the WhatsApp user id": customer.whatsappUserId,
    "the reference": customer.reference,
    "the wrong secret": customer.wrongSecret,
    "the link's token": at(link["x-access-token"].split("."), 0),
    "the link's signature": at(link["x-access-token"].split("."), 1),
    "the session": at(session.authorization.split("."), 1),
    "the session's signature": at(session.authorization.split("."), 2),
    "Checkout's signature": purchase.checkout.razorpay_signature.slice(1),
    "the webhook's signature": event.signature,
    "the database's address": environment.DATABASE_URL,
    "the database's password": new URL(environment.DATABASE_URL).password,
    "the session key": secrets.sessionKey.d,
    "the shared secret of sessions": secrets.jwtSecret,
    "the secret key": secrets.secretKey,
    "the bot's secret": secrets.botSecret,
    "Razorpay's key secret": secrets.razorpayKeySecret,
    "Razorpay's webhook secret": secrets.razorpayWebhookSecret,
  };
}

strictEqual(Object.keys(REQUESTS).length, OPERATIONS.length);

for (const [world, variables] of Object.entries(WORLDS)) {
  Deno.test(`while ${world}, each request of each function leaves one line, and nothing secret in it`, async () => {
    const customer = await newCustomer();
    const secretWords = Object.entries(hidden(customer));
    await withEnvironment(variables, async () => {
      for (const [name, requestsTo] of Object.entries(REQUESTS)) {
        let count = 0;
        const written = await logOf(async () => {
          count = (await Promise.all(requestsTo(customer))).length;
        });
        // A refund that an operator has asked for brings a webhook of Razorpay's, whenever it comes.
        const lines = written.filter((text) =>
          name === "razorpay-webhook" || !text.includes('"razorpay-webhook"')
        );
        strictEqual(lines.length, count, lines.join("\n"));
        for (const text of lines) {
          strictEqual(logLine.parse(JSON.parse(text)).function, name);
          for (const [what, word] of secretWords) {
            ok(!text.includes(word), `${what} stands in ${text}`);
          }
        }
      }
    });
  });
}

Deno.test("the line of a request says which user it was about", async () => {
  const customer = await newCustomer();
  const { phone, userId, link } = customer;
  const body = { phone_number: phone };
  const order = { ...body, package_id: "pro" };
  const { checkout, packageId } = customer.purchase;
  const about = [
    () => call("GET", `bot-credits/${phone}`),
    () => call("POST", "bot-deduct", { body }),
    () => call("POST", "bot-deduct", { body: { ...body, credits: 1000 } }),
    () => call("POST", "bot-link", { body }),
    () => call("POST", "bot-payment-link", { body: order }),
    () => profile(phone, link),
    () => history(userId, link),
    () => call("POST", "create-order", { body: order }),
    () => call("POST", "verify-payment", { body: { ...checkout, ...body, package_id: packageId } }),
  ];
  for (const request of about) {
    const line = one(await linesOf(request));
    strictEqual(line.user_id, userId, line.function);
    strictEqual(line.level, "info");
  }
  const stranger = one(await linesOf(() => profile(phone)));
  strictEqual(stranger.user_id, undefined);
});

Deno.test("a replay says so", async () => {
  const body = { phone_number: newPhoneNumber(), reference_id: `wamid.${randomUUID()}` };
  const first = one(await linesOf(() => call("POST", "bot-deduct", { body })));
  const again = one(await linesOf(() => call("POST", "bot-deduct", { body })));
  strictEqual(first.replayed, undefined);
  strictEqual(again.replayed, true);
});

Deno.test("what is for the operator to fix is an error with its cause, and what a caller did is not", async () => {
  const phone = newPhoneNumber();
  const deduct = () => call("POST", "bot-deduct", { body: { phone_number: phone } });
  const order = () =>
    call("POST", "create-order", { body: { phone_number: phone, package_id: "pro" } });
  const callers = [
    () => profile(phone),
    () => profile(phone, { authorization: "Bearer wrong" }),
    () => call("GET", "bot-credits/nobody"),
    () => call("GET", `bot-credits/${phone}`, { headers: { "x-bot-secret": newSecret() } }),
    () => call("PUT", "users"),
    () => call("POST", "bot-deduct", { body: { phone_number: phone, credits: 1000 } }),
    () => call("POST", "create-order", { body: "{" }),
  ];
  for (const request of callers) {
    const line = one(await linesOf(request));
    strictEqual(line.level, "info", JSON.stringify(line));
    strictEqual(line.cause, undefined);
  }
  const ours: [Record<string, string | undefined>, () => Promise<unknown>][] = [
    [{ SUPABASE_URL: closedUrl() }, deduct],
    [{ SUPABASE_SECRET_KEYS: "{" }, deduct],
    [
      { BOT_SECRET: undefined },
      () => call("GET", `bot-credits/${phone}`, { headers: { "x-bot-secret": newSecret() } }),
    ],
    [{ RAZORPAY_API_URL: closedUrl() }, order],
    [{ RAZORPAY_KEY_ID: undefined }, order],
    [{ FRONTEND_ACCESS: "nonsense" }, () => profile(phone)],
    [{ DEFAULT_COUNTRY: "nowhere" }, () => call("GET", `bot-credits/${phone.slice(3)}0`)],
  ];
  for (const [variables, request] of ours) {
    const line = one(await linesOf(() => withEnvironment(variables, request)));
    strictEqual(line.level, "error", JSON.stringify(line));
    ok(line.cause && line.cause.length < 300, line.cause);
  }
});

Deno.test("a caller's own request id stands in the line, unless it could do harm there", async () => {
  const { link } = await newCustomer();
  const withId = async (id: string) => {
    const headers = { ...link, "x-request-id": id };
    const line = one(await linesOf(() => profile("nobody", headers)));
    return line.request_id;
  };
  strictEqual(await withId("job-123456.9_a"), "job-123456.9_a");
  for (const id of ['","level":"error', "short", "x".repeat(129), "blank blank", "ünïcödé-id"]) {
    ok(await withId(id) !== id, id);
  }
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: newPhoneNumber() } }));
});
