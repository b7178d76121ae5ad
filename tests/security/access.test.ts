/**
 * FRONTEND_ACCESS: whose account a page may read, and who needs no proof.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { FunctionsHttpError } from "@supabase/supabase-js";
import { setEnvironment } from "../../local/stack/stack.ts";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { cameByLink, signedIn } from "../support/proofs.ts";
import { orderPackage, payForPackage, verify } from "../support/purchases.ts";
import {
  history,
  INVALID_PROOF,
  isKnown,
  newUser,
  NOT_THE_OWNER,
  profile,
  PROOF_REQUIRED,
  type RequestHeaders,
} from "../support/accounts.ts";
import { newSecret } from "../support/signing.ts";
import { first, one } from "../support/lists.ts";
import { pageClient } from "../support/supabase-client.ts";

const backend = await startBackend();
const { environment, razorpay, sql } = backend;
Deno.test.afterAll(() => backend.stop());
setEnvironment({ FRONTEND_ACCESS: "phone-proof" });

const PROOFS = {
  "a session": (phone: string) => signedIn(backend, phone),
  "a link": cameByLink,
};

/** Fails if a caller can tell the two responses apart. */
function expectAlike(one: Answer, other: Answer): void {
  strictEqual(one.httpStatus, other.httpStatus);
  deepStrictEqual(one.body, other.body);
}

Deno.test("without a proof nobody reads an account, and nobody becomes a user", async () => {
  const [member, stranger] = [newPhoneNumber(), newPhoneNumber()];
  const id = await newUser(member);
  const answers = [
    await profile(member),
    await profile(stranger),
    await history(id),
    await history(randomUUID()),
  ];
  for (const answer of answers) {
    expectError(answer, PROOF_REQUIRED);
    expectAlike(answer, first(answers));
  }
  strictEqual(await isKnown(sql, stranger), false);
});

Deno.test("phone-proof is what holds when FRONTEND_ACCESS is not set", async () => {
  for (const unset of [undefined, "", "  "]) {
    await withEnvironment({ FRONTEND_ACCESS: unset }, async () => {
      expectError(await profile(newPhoneNumber()), PROOF_REQUIRED);
    });
  }
});

for (const [proof, proofOf] of Object.entries(PROOFS)) {
  Deno.test(`${proof} opens its owner's account`, async () => {
    const phone = newPhoneNumber();
    const headers = await proofOf(phone);
    const { id, phone_number } = dataOf(await profile(phone, headers));
    strictEqual(phone_number, phone);
    strictEqual(dataOf(await history(String(id), headers)).total, 1);
  });

  Deno.test(`${proof} opens nobody else's account, and does not tell whether there is one`, async () => {
    const [member, stranger] = [newPhoneNumber(), newPhoneNumber()];
    const id = await newUser(member);
    const headers = await proofOf(newPhoneNumber());
    const [known, unknown] = [await profile(member, headers), await profile(stranger, headers)];
    const [ofKnown, ofUnknown] = [await history(id, headers), await history(randomUUID(), headers)];
    for (const answer of [known, unknown, ofKnown, ofUnknown]) expectError(answer, NOT_THE_OWNER);
    expectAlike(known, unknown);
    expectAlike(ofKnown, ofUnknown);
    strictEqual(await isKnown(sql, stranger), false);
  });

  Deno.test(`${proof} lets supabase-js read its owner's account`, async () => {
    const phone = newPhoneNumber();
    const supabase = pageClient(environment);
    const call = async (path: string, headers: RequestHeaders) =>
      await supabase.functions.invoke(path, { method: "GET", headers });
    const headers = await proofOf(phone);
    const { data, error } = await call(`users/${phone}`, headers);
    strictEqual(error, null);
    strictEqual(data.data.phone_number, phone);

    const refused = [
      await call(`users/${newPhoneNumber()}`, headers),
      await call(`users/${phone}`, {}),
    ];
    const codes = refused.map(async ({ error }) => {
      ok(error instanceof FunctionsHttpError);
      return (await error.context.json()).code;
    });
    deepStrictEqual(await Promise.all(codes), ["NOT_THE_OWNER", "PROOF_REQUIRED"]);
  });
}

Deno.test("the bot and the operator read every account", async () => {
  const phone = newPhoneNumber();
  const id = await newUser(phone);
  const { BOT_SECRET, SUPABASE_SECRET_KEY } = environment;
  const secrets: RequestHeaders[] = [
    { "x-bot-secret": BOT_SECRET },
    { apikey: SUPABASE_SECRET_KEY },
    { authorization: `Bearer ${SUPABASE_SECRET_KEY}` },
  ];
  for (const headers of secrets) {
    strictEqual(dataOf(await profile(phone, headers)).id, id);
    strictEqual(dataOf(await history(id, headers)).total, 1);
    expectError(await history(randomUUID(), headers), { httpStatus: 404, code: "USER_NOT_FOUND" });
  }
});

Deno.test("a wrong secret opens nothing, with a proof along with it or without", async () => {
  const phone = newPhoneNumber();
  const proof = await cameByLink(phone);
  const wrong = { "x-bot-secret": newSecret() };
  for (const headers of [wrong, { ...wrong, ...proof }]) {
    expectError(await profile(phone, headers), { httpStatus: 401, code: "INVALID_BOT_SECRET" });
  }
  expectError(await profile(phone, { apikey: "sb_secret_wrong" }), PROOF_REQUIRED);
  expectError(await profile(phone, { authorization: "Bearer sb_secret_wrong" }), INVALID_PROOF);
});

Deno.test("FRONTEND_ACCESS=public opens every account to everybody", async () => {
  await withEnvironment({ FRONTEND_ACCESS: "public" }, async () => {
    const { id } = dataOf(await profile(newPhoneNumber()));
    dataOf(await history(String(id)));
  });
});

Deno.test.each(["Public", "proof", "true", "public,phone-proof", "none"])(
  "FRONTEND_ACCESS=%s is a mistake that opens nothing and says nothing",
  async (access) => {
    const phone = newPhoneNumber();
    await withEnvironment({ FRONTEND_ACCESS: access }, async () => {
      const answer = await profile(phone);
      expectError(answer, {
        httpStatus: 500,
        code: "INTERNAL",
        message: "Something went wrong on our side",
      });
      // A worker that starts with the mistake starts all the same, and gives the same response.
      const { default: fresh } = await freshUsers();
      const response = await fresh.fetch(new Request(`http://127.0.0.1/users/${phone}`));
      deepStrictEqual(await response.json(), answer.body);
    });
    strictEqual(await isKnown(sql, phone), false);
  },
);

/** The module as a newly started worker loads it. */
function freshUsers(): Promise<typeof import("../../supabase/functions/users/index.ts")> {
  return import(`../../supabase/functions/users/index.ts?${randomUUID()}`);
}

/** The warnings of a worker that starts in this environment. */
async function warningsAtStart(variables: Record<string, string | undefined>): Promise<string[]> {
  const lines: string[] = [];
  const { warn } = console;
  console.warn = (line: string) => void lines.push(line);
  try {
    await withEnvironment(variables, freshUsers);
  } finally {
    console.warn = warn;
  }
  return lines;
}

Deno.test.each([
  "https://project.supabase.co",
  // Every self-hosted project has this address inside.
  "http://kong:8000",
  "http://127.0.0.1:54321",
])("a project at %s that is open to everybody is warned of", async (url) => {
  const lines = await warningsAtStart({
    FRONTEND_ACCESS: "public",
    SUPABASE_URL: url,
    EMBEDDED_STACK: undefined,
  });
  const { level, message } = JSON.parse(one(lines));
  strictEqual(level, "warn");
  ok(message.includes("FRONTEND_ACCESS"), message);
});

Deno.test("no warning is logged for the embedded stack, or for a project that asks for proof", async () => {
  const hosted = "https://project.supabase.co";
  for (
    const variables of [
      { FRONTEND_ACCESS: "public", EMBEDDED_STACK: "1" },
      { FRONTEND_ACCESS: "phone-proof", EMBEDDED_STACK: undefined, SUPABASE_URL: hosted },
      { FRONTEND_ACCESS: undefined, EMBEDDED_STACK: undefined, SUPABASE_URL: hosted },
    ]
  ) {
    deepStrictEqual(await warningsAtStart(variables), []);
  }
});

Deno.test("anybody may order a package for a number", async () => {
  const phone = newPhoneNumber();
  await orderPackage(phone, "starter");
  const body = { phone_number: phone, package_id: "pro" };
  const failed: RequestHeaders[] = [
    { authorization: "Bearer wrong" },
    { "x-access-token": "wrong" },
  ];
  for (const headers of failed) dataOf(await call("POST", "create-order", { body, headers }));
});

Deno.test("anyone who pays for somebody learns what was bought, and not what the account holds", async () => {
  const { control } = razorpay;
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const { checkout, phone, packageId } = purchase;
  const body = { ...checkout, phone_number: phone, package_id: packageId };
  const verifyWith = async (headers: RequestHeaders) =>
    dataOf(await call("POST", "verify-payment", { body, headers }));
  const told = {
    payment_id: checkout.razorpay_payment_id,
    order_id: checkout.razorpay_order_id,
    credits_added: 20,
  };
  deepStrictEqual(dataOf(await verify(purchase)), told);
  const strangers: RequestHeaders[] = [
    {},
    await signedIn(backend, newPhoneNumber()),
    await cameByLink(newPhoneNumber()),
    { authorization: "Bearer wrong" },
    { "x-access-token": "wrong" },
    { "x-bot-secret": newSecret() },
  ];
  for (const headers of strangers) deepStrictEqual(await verifyWith(headers), told);

  const owners: RequestHeaders[] = [
    await signedIn(backend, phone),
    await cameByLink(phone),
    { "x-bot-secret": environment.BOT_SECRET },
    { apikey: environment.SUPABASE_SECRET_KEY },
  ];
  for (const headers of owners) {
    deepStrictEqual(await verifyWith(headers), { ...told, remaining_credits: 23 });
  }
});
