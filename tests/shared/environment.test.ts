/**
 * The environment: a missing variable fails what needs it, with a response that names nothing.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { razorpayCredentials } from "shared/environment.ts";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { orderPackage, payForPackage, verify } from "../support/purchases.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());

const { SUPABASE_SECRET_KEY } = backend.environment;

/** A key in the form of a secret key that no project has. */
const newKey = () => `sb_secret_${randomBytes(16).toString("base64url")}`;

/** No way to the Data API is configured, but for what a test adds. */
const NO_KEYS = {
  SUPABASE_SECRET_KEYS: undefined,
  SUPABASE_SECRET_KEY: undefined,
  SUPABASE_SERVICE_ROLE_KEY: undefined,
};

function expectInternal({ httpStatus, body }: Answer): void {
  strictEqual(httpStatus, 500);
  deepStrictEqual(body, {
    status: "ERROR",
    message: "Something went wrong on our side",
    code: "INTERNAL",
  });
}

const readProfile = () => call("GET", `users/${newPhoneNumber()}`);

Deno.test.each([
  ["SUPABASE_SECRET_KEYS", JSON.stringify({ default: SUPABASE_SECRET_KEY })],
  [
    "SUPABASE_SECRET_KEYS",
    JSON.stringify({ other: newKey(), default: SUPABASE_SECRET_KEY }),
  ],
  ["SUPABASE_SECRET_KEY", SUPABASE_SECRET_KEY],
  ["SUPABASE_SERVICE_ROLE_KEY", SUPABASE_SECRET_KEY],
  ["SUPABASE_SERVICE_ROLE_KEY", `  ${SUPABASE_SECRET_KEY}\n`],
])("the functions find their key in %s", async (name, value) => {
  await withEnvironment({ ...NO_KEYS, [name]: value }, async () => {
    dataOf(await readProfile());
  });
});

Deno.test("the newest kind of key wins over the older ones", async () => {
  const variables = {
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: SUPABASE_SECRET_KEY }),
    SUPABASE_SECRET_KEY: newKey(),
    SUPABASE_SERVICE_ROLE_KEY: newKey(),
  };
  await withEnvironment(variables, async () => void dataOf(await readProfile()));
  await withEnvironment(
    { ...variables, SUPABASE_SECRET_KEYS: "{}", SUPABASE_SECRET_KEY },
    async () => void dataOf(await readProfile()),
  );
});

Deno.test.each([
  ["no key at all", NO_KEYS],
  ["empty keys", {
    SUPABASE_SECRET_KEYS: "",
    SUPABASE_SECRET_KEY: " ",
    SUPABASE_SERVICE_ROLE_KEY: "",
  }],
  ["keys that are not JSON", { ...NO_KEYS, SUPABASE_SECRET_KEYS: "{default: key}" }],
  ["keys that are null", { ...NO_KEYS, SUPABASE_SECRET_KEYS: "null" }],
  ["keys that are a list", { ...NO_KEYS, SUPABASE_SECRET_KEYS: "[]" }],
  ["a default key that is no text", { ...NO_KEYS, SUPABASE_SECRET_KEYS: '{"default":{}}' }],
  ["a key that the Data API does not know", { ...NO_KEYS, SUPABASE_SECRET_KEY: newKey() }],
  ["no address", { SUPABASE_URL: undefined }],
  ["an address that is none", { SUPABASE_URL: "not an address" }],
])("with %s every function that needs the database returns INTERNAL", async (_, variables) => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const { id } = dataOf(await readProfile());
  await withEnvironment(variables, async () => {
    expectInternal(await readProfile());
    expectInternal(await call("GET", `bot-credits/${purchase.phone}`));
    expectInternal(await call("POST", "bot-deduct", { body: { phone_number: purchase.phone } }));
    expectInternal(await call("GET", `credit-history/${id}`));
    const body = { package_id: "starter", phone_number: purchase.phone };
    expectInternal(await call("POST", "create-order", { body }));
    expectInternal(await verify(purchase));
  });
  strictEqual(dataOf(await call("GET", `users/${purchase.phone}`)).credits, 3);
});

Deno.test.each([
  ["no Razorpay key id", { RAZORPAY_KEY_ID: undefined }],
  ["no Razorpay key secret", { RAZORPAY_KEY_SECRET: undefined }],
  ["an empty Razorpay key secret", { RAZORPAY_KEY_SECRET: "  " }],
])("with %s purchases return INTERNAL, and everything else works", async (_, variables) => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  await withEnvironment(variables, async () => {
    const body = { package_id: "starter", phone_number: purchase.phone };
    expectInternal(await call("POST", "create-order", { body }));
    expectInternal(await verify(purchase));
    const deduction = await call("POST", "bot-deduct", { body: { phone_number: purchase.phone } });
    strictEqual(dataOf(deduction).remaining_credits, 2);
  });
});

Deno.test.each([
  "https://razorpay.example",
  "https://api.razorpay.com.example",
  "http://127.0.0.1.example:54323",
  "http://10.0.0.1",
  "https://api.razorpay.com@razorpay.example",
  "http://api.razorpay.com",
  "https://someone:word@api.razorpay.com",
  "https://api.razorpay.com:8443",
  "https://api.razorpay.com/v2",
  "ftp://127.0.0.1",
  "http://someone:word@127.0.0.1:54323",
  "not an address",
])("the Razorpay key is not sent to %s", async (address) => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  await withEnvironment({ RAZORPAY_API_URL: address }, async () => {
    const body = { package_id: "pro", phone_number: purchase.phone };
    expectInternal(await call("POST", "create-order", { body }));
    expectInternal(await verify(purchase));
  });
  strictEqual(dataOf(await verify(purchase)).credits_added, 20);
});

Deno.test.each([
  ["https://api.razorpay.com", "https://api.razorpay.com"],
  ["https://api.razorpay.com/", "https://api.razorpay.com"],
  ["http://localhost:54323/", "http://localhost:54323"],
  ["https://[::1]:1", "https://[::1]:1"],
])("Razorpay may be at %s", async (address, apiUrl) => {
  await withEnvironment({ RAZORPAY_API_URL: address }, () => {
    strictEqual(razorpayCredentials().apiUrl, apiUrl);
    return Promise.resolve();
  });
});

Deno.test("a wrong Razorpay key secret verifies nothing", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const variables = { RAZORPAY_KEY_SECRET: randomBytes(12).toString("hex") };
  await withEnvironment(variables, async () => {
    strictEqual((await verify(purchase)).body.code, "INVALID_SIGNATURE");
    const body = { package_id: "pro", phone_number: purchase.phone };
    strictEqual((await call("POST", "create-order", { body })).body.code, "GATEWAY_ERROR");
  });
  strictEqual(dataOf(await verify(purchase)).credits_added, 20);
});

Deno.test("a changed secret counts from the next call on", async () => {
  const phone = newPhoneNumber();
  await orderPackage(phone, "starter");
  await withEnvironment(
    { SUPABASE_SECRET_KEY: newKey(), SUPABASE_SECRET_KEYS: undefined },
    async () => {
      expectInternal(await readProfile());
    },
  );
  dataOf(await readProfile());
});

Deno.test("DEFAULT_COUNTRY says whose national numbers a page may send", async () => {
  const phoneOf = async (spelling: string) =>
    dataOf(await call("GET", `users/${spelling}`)).phone_number;
  await withEnvironment({ DEFAULT_COUNTRY: "us" }, async () => {
    strictEqual(await phoneOf("(415)%20555-2671"), "+14155552671");
  });
  await withEnvironment({ DEFAULT_COUNTRY: undefined }, async () => {
    strictEqual(await phoneOf("09876543210"), "+919876543210");
  });
  await withEnvironment({ DEFAULT_COUNTRY: "nowhere" }, async () => {
    expectInternal(await call("GET", "users/9876543210"));
  });
});
