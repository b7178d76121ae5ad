/**
 * The log: one line for each request, without any number, secret or signature.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startBackend } from "../support/backend.ts";
import { call, operatorHeaders, send } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import {
  closedUrl,
  type FaultyServer,
  fixedAnswerServer,
  whileRazorpayIs,
} from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { orderPackage, payForPackage, verify } from "../support/purchases.ts";
import { one } from "../support/lists.ts";
import { logLine, logOf } from "../support/log.ts";
import { newEventId } from "../support/razorpay-ids.ts";
import { sign } from "../support/signing.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());

Deno.test("each request leaves one line of JSON that names it and how it ended", async () => {
  const id = `job-${randomUUID()}`;
  const lines = await logOf(() =>
    call("GET", `users/${newPhoneNumber()}`, { headers: { "x-request-id": id } })
  );
  const { time: _, duration_ms: __, user_id, ...entry } = logLine.parse(JSON.parse(one(lines)));
  const { known } = one(
    await backend.sql`
    select count(*)::int as known from public.users where id = ${user_id ?? null}`,
  );
  strictEqual(known, 1, "the line says which user it is about");
  deepStrictEqual(entry, {
    level: "info",
    function: "users",
    method: "GET",
    http_status: 200,
    status: "SUCCESS",
    request_id: id,
    credits: 3,
    remaining_credits: 3,
    reserved_credits: 0,
  });
});

Deno.test("a line says what happened: the credits that are left, the package, Razorpay's event", async () => {
  const phone = newPhoneNumber();
  const body = { phone_number: phone, reference_id: `wamid.${randomUUID()}` };
  const lines = await logOf(async () => {
    await call("POST", "bot-deduct", { body });
    await call("POST", "bot-deduct", { body });
    await call("POST", "create-order", { body: { phone_number: phone, package_id: "starter" } });
    const event = JSON.stringify({ event: "order.notification.delivered" });
    const signature = sign(event, backend.environment.RAZORPAY_WEBHOOK_SECRET);
    const headers = { "x-razorpay-signature": signature, "x-razorpay-event-id": newEventId() };
    await call("POST", "razorpay-webhook", { body: event, headers });
  });
  const told = lines.map((text) => {
    const { remaining_credits, replayed, package: name, event, outcome } = logLine.parse(
      JSON.parse(text),
    );
    return { remaining_credits, replayed, name, event, outcome };
  });
  const nothing = { remaining_credits: undefined, replayed: undefined, name: undefined };
  const noEvent = { event: undefined, outcome: undefined };
  deepStrictEqual(told, [
    { ...nothing, ...noEvent, remaining_credits: 2 },
    { ...nothing, ...noEvent, remaining_credits: 2, replayed: true },
    { ...nothing, ...noEvent, name: "Starter" },
    { ...nothing, event: "order.notification.delivered", outcome: "ignored" },
  ]);
});

Deno.test("a failure of ours is an error with its cause, a caller's mistake is not", async () => {
  const mistake = await logOf(() => call("GET", "users/nonsense"));
  strictEqual(logLine.parse(JSON.parse(one(mistake))).level, "info");
  const outage = await withEnvironment(
    { SUPABASE_URL: closedUrl() },
    () => logOf(() => call("GET", `users/${newPhoneNumber()}`)),
  );
  const { level, cause } = logLine.parse(JSON.parse(one(outage)));
  strictEqual(level, "error");
  ok(cause);
});

/** A Razorpay that refuses everything and quotes what it was sent, as its validation errors do. */
function quotingRazorpay(phone: string): FaultyServer {
  const description = `contact ${phone} and ${phone.slice(1)} are invalid`;
  const error = { code: "BAD_REQUEST_ERROR", description };
  return fixedAnswerServer(400, "application/json", JSON.stringify({ error }));
}

Deno.test("a number that Razorpay quotes is left out of the cause, and the rest of it is not", async () => {
  const phone = newPhoneNumber();
  await orderPackage(phone, "starter");
  await backend.sql`
    update public.payment_orders set next_check_at = clock_timestamp()
    where phone_number = ${phone}`;
  await whileRazorpayIs(quotingRazorpay(phone), async () => {
    const requests = {
      "create-order": () =>
        call("POST", "create-order", { body: { phone_number: phone, package_id: "pro" } }),
      // Its own line is no failure: the order that could not be checked has another one.
      "reconcile-payments": () =>
        call("POST", "reconcile-payments", { body: {}, headers: operatorHeaders() }),
    };
    for (const [name, request] of Object.entries(requests)) {
      const lines = (await logOf(request)).map((text) => JSON.parse(text));
      const { function: logged, cause } = one(lines.filter(({ level }) => level === "error"));
      strictEqual(logged, name);
      match(cause, /contact .+ and .+ are invalid/);
      ok(!cause.includes(phone.slice(3)), cause);
    }
  });
});

Deno.test("no line holds a phone number, a secret, a signature or a reference", async () => {
  const phone = newPhoneNumber();
  const reference_id = `wamid.${randomUUID()}`;
  const purchase = await payForPackage(control, phone, "starter");
  const body = { phone_number: phone, reference_id };
  const { razorpay_signature } = purchase.checkout;
  const requests: (() => Promise<unknown>)[] = [
    () => call("GET", `users/${phone}`),
    () => call("GET", `users?phone_number=${phone}9`),
    () => call("GET", `bot-credits/${phone}`),
    () => call("POST", "bot-deduct", { body }),
    () => call("POST", "bot-deduct", { body: { ...body, credits: 2 } }),
    () => call("POST", "bot-deduct", { body: `{"phone_number":"${phone}", ${reference_id}` }),
    () => call("POST", "create-order", { body: { phone_number: phone, package_id: "pro" } }),
    () => verify(purchase, { razorpay_signature: razorpay_signature.slice(1) }),
    () => verify(purchase),
    async () => await (await send("PUT", `users/${phone}`)).body?.cancel(),
  ];
  const razorpay = quotingRazorpay(phone);
  const worlds = [
    { RAZORPAY_API_URL: razorpay.url },
    {},
    { SUPABASE_URL: closedUrl() },
    { RAZORPAY_API_URL: closedUrl() },
    { SUPABASE_SECRET_KEYS: "{" },
  ];
  const { environment } = backend;
  const hidden = Object.entries({
    "the phone number": phone.slice(3),
    "the reference": reference_id,
    "the signature": razorpay_signature.slice(1),
    "the bot secret": environment.BOT_SECRET,
    "the secret key": environment.SUPABASE_SECRET_KEY,
    "the Razorpay secret": environment.RAZORPAY_KEY_SECRET,
  });
  try {
    for (const world of worlds) {
      for (const request of requests) {
        const text = one(await withEnvironment(world, () => logOf(request)));
        for (const [name, secret] of hidden) {
          ok(!text.includes(secret), `${name} stands in ${text}`);
        }
      }
    }
  } finally {
    await razorpay.stop();
  }
});
