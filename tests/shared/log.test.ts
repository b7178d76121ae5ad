/**
 * The log: one line for each request, without any number, secret or signature.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { startBackend } from "../support/backend.ts";
import { call, send } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { closedUrl } from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { payForPackage, verify } from "../support/purchases.ts";
import { one } from "../support/lists.ts";
import { logOf } from "../support/log.ts";
import { newEventId } from "../support/razorpay-ids.ts";
import { sign } from "../support/signing.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());

const line = z.strictObject({
  time: z.iso.datetime(),
  level: z.enum(["info", "error"]),
  function: z.string(),
  method: z.string(),
  http_status: z.int(),
  status: z.string(),
  code: z.string().optional(),
  duration_ms: z.int().min(0),
  replayed: z.boolean().optional(),
  request_id: z.string(),
  user_id: z.uuid().optional(),
  event: z.string().optional(),
  outcome: z.string().optional(),
  credits: z.int().optional(),
  remaining_credits: z.int().optional(),
  package: z.string().optional(),
  cause: z.string().optional(),
});

Deno.test("each request leaves one line of JSON that names it and how it ended", async () => {
  const id = `job-${randomUUID()}`;
  const lines = await logOf(() =>
    call("GET", `users/${newPhoneNumber()}`, { headers: { "x-request-id": id } })
  );
  const { time: _, duration_ms: __, user_id, ...entry } = line.parse(JSON.parse(one(lines)));
  const { known } = one(
    await backend.sql`
    select count(*)::int as known from public.users where id = ${user_id ?? null}`,
  );
  strictEqual(known, 1, "the line says whom it is about");
  deepStrictEqual(entry, {
    level: "info",
    function: "users",
    method: "GET",
    http_status: 200,
    status: "SUCCESS",
    request_id: id,
    credits: 3,
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
    const { remaining_credits, replayed, package: name, event, outcome } = line.parse(
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
  strictEqual(line.parse(JSON.parse(one(mistake))).level, "info");
  const outage = await withEnvironment(
    { SUPABASE_URL: closedUrl() },
    () => logOf(() => call("GET", `users/${newPhoneNumber()}`)),
  );
  const { level, cause } = line.parse(JSON.parse(one(outage)));
  strictEqual(level, "error");
  ok(cause);
});

Deno.test("no line holds a phone number, a secret, a signature or a reference", async () => {
  const phone = newPhoneNumber();
  const reference_id = `wamid.${randomUUID()}`;
  const purchase = await payForPackage(control, phone, "starter");
  const everything = async () => {
    await call("GET", `users/${phone}`);
    await call("GET", `users?phone_number=${phone}9`);
    await call("GET", `bot-credits/${phone}`);
    await call("POST", "bot-deduct", { body: { phone_number: phone, reference_id } });
    await call("POST", "bot-deduct", { body: { phone_number: phone, reference_id, credits: 2 } });
    await call("POST", "bot-deduct", { body: `{"phone_number":"${phone}", ${reference_id}` });
    await call("POST", "create-order", { body: { phone_number: phone, package_id: "pro" } });
    await verify(purchase, { razorpay_signature: purchase.checkout.razorpay_signature.slice(1) });
    await verify(purchase);
    await (await send("PUT", `users/${phone}`)).body?.cancel();
  };
  const lines = [
    ...await logOf(everything),
    ...await withEnvironment({ SUPABASE_URL: closedUrl() }, () => logOf(everything)),
    ...await withEnvironment({ RAZORPAY_API_URL: closedUrl() }, () => logOf(everything)),
    ...await withEnvironment({ SUPABASE_SECRET_KEYS: "{" }, () => logOf(everything)),
  ];
  strictEqual(lines.length, 40);
  const { environment } = backend;
  for (
    const [name, secret] of Object.entries({
      "the phone number": phone.slice(3),
      "the reference": reference_id,
      "the signature": purchase.checkout.razorpay_signature.slice(1),
      "the bot secret": environment.BOT_SECRET,
      "the secret key": environment.SUPABASE_SECRET_KEY,
      "the Razorpay secret": environment.RAZORPAY_KEY_SECRET,
    })
  ) {
    for (const text of lines) ok(!text.includes(secret), `${name} stands in ${text}`);
  }
});
