/**
 * The functions as a frontend reaches them: supabase-js, over HTTP, with the publishable key.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { FunctionsHttpError } from "@supabase/supabase-js";
import { startBackend } from "../support/backend.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { pageClient } from "../support/supabase-client.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

const { SUPABASE_URL, BOT_SECRET } = backend.environment;
const supabase = pageClient(backend.environment);

Deno.test("a page reads a profile and its history with functions.invoke", async () => {
  const phone = newPhoneNumber();
  const profile = await supabase.functions.invoke(`users/${phone}`, { method: "GET" });
  strictEqual(profile.error, null);
  strictEqual(profile.data.message, "User profile retrieved successfully");
  strictEqual(profile.data.data.phone_number, phone);

  const path = `credit-history/${profile.data.data.id}?limit=50`;
  const history = await supabase.functions.invoke(path, { method: "GET" });
  strictEqual(history.data.data.total, 1);

  const sameByQuery = await supabase.functions.invoke(`users?phone_number=${phone}`, {
    method: "GET",
  });
  deepStrictEqual(sameByQuery.data, profile.data);
});

Deno.test("a page buys a package with functions.invoke", async () => {
  const phone_number = newPhoneNumber();
  const package_id = "starter";
  const order = await supabase.functions.invoke("create-order", {
    body: { phone_number, package_id },
  });
  strictEqual(order.error, null);
  const checkout = await backend.razorpay.control.payOrder(order.data.data.order_id, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  const verified = await supabase.functions.invoke("verify-payment", {
    // supabase-js sends a string as text/plain.
    body: JSON.stringify({ ...checkout, phone_number, package_id }),
  });
  strictEqual(verified.error, null);
  strictEqual(verified.data.data.remaining_credits, 23);
});

Deno.test("a page can read the body of an error", async () => {
  const { data, error } = await supabase.functions.invoke("create-order", { body: {} });
  strictEqual(data, null);
  ok(error instanceof FunctionsHttpError);
  strictEqual(error.context.status, 400);
  deepStrictEqual(await error.context.json(), {
    status: "ERROR",
    message: "Package ID and phone number are required",
    code: "MISSING_FIELD",
  });
});

Deno.test("an empty text for a body is refused, not a crash", async () => {
  const { error } = await supabase.functions.invoke("create-order", { body: "" });
  strictEqual(error.context.status, 400);
  strictEqual((await error.context.json()).code, "INVALID_JSON");
});

Deno.test("a bot spends a credit over plain HTTP", async () => {
  const response = await fetch(`${SUPABASE_URL}/functions/v1/bot-deduct`, {
    method: "POST",
    headers: { "x-bot-secret": BOT_SECRET, "content-type": "application/json" },
    body: JSON.stringify({ phone_number: newPhoneNumber() }),
  });
  strictEqual(response.status, 200);
  deepStrictEqual(await response.json(), {
    status: "SUCCESS",
    message: "Image generated successfully. You have 2 credits remaining.",
    data: { remaining_credits: 2 },
  });
});

Deno.test("HEAD and OPTIONS are answered over HTTP", async () => {
  const head = await fetch(`${SUPABASE_URL}/functions/v1/users/${newPhoneNumber()}`, {
    method: "HEAD",
  });
  strictEqual(head.status, 405);
  strictEqual(head.headers.get("allow"), "GET, OPTIONS");
  const options = await fetch(`${SUPABASE_URL}/functions/v1/users/%`, { method: "OPTIONS" });
  strictEqual(options.status, 204);
});

Deno.test("a body over 16 KiB is refused over HTTP, whether its length is told or not", async () => {
  const whole = new Uint8Array(20_000).fill(0x20);
  const inPieces = () => ReadableStream.from([whole.slice(0, 10_000), whole.slice(10_000)]);
  for (const body of [whole, inPieces()]) {
    const response = await fetch(`${SUPABASE_URL}/functions/v1/create-order`, {
      method: "POST",
      body,
    });
    strictEqual(response.status, 413);
    strictEqual((await response.json()).code, "BODY_TOO_LARGE");
  }
});

Deno.test("with the publishable key a page reads the packages for sale, and nothing else", async () => {
  const { data: packages, error } = await supabase.from("packages").select("id").order("price");
  strictEqual(error, null);
  ok(packages?.some(({ id }) => id === "starter"));
  for (const table of ["users", "credit_transactions", "payment_orders", "payments"]) {
    const { data, error } = await supabase.from(table).select("*").limit(1);
    ok(error !== null && data === null, `${table} can be read`);
  }
  const call = await supabase.rpc("get_user", { phone_number: newPhoneNumber() });
  ok(call.error !== null, "get_user can be called");
});
