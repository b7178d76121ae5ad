/**
 * The link that the bot sends into the chat: what it opens, and when it stops.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { makeLinkToken, readLinkToken } from "shared/auth/link-token.ts";
import { setEnvironment } from "../../local/stack/stack.ts";
import { startBackend } from "../support/backend.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { linkTokenOf } from "../support/proofs.ts";
import { history, INVALID_PROOF, newUser, NOT_THE_OWNER, profile } from "../support/accounts.ts";
import { encodePart, newSecret, sign } from "../support/signing.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const backend = await startBackend();
const { environment } = backend;
Deno.test.afterAll(() => backend.stop());
setEnvironment({ FRONTEND_ACCESS: "phone-proof" });

function partsOf(token: string): { payload: string; signature: string } {
  const [payload, signature] = token.split(".");
  ok(payload !== undefined && signature !== undefined);
  return { payload, signature };
}

Deno.test("bot-link returns a page's address that carries the token where no server sees it", async () => {
  const phone = newPhoneNumber();
  const before = Date.now();
  await withEnvironment({ FRONTEND_URL: "https://shop.example/account?lang=hi" }, async () => {
    const { url, token, expires_at } = dataOf(
      await call("POST", "bot-link", { body: { phone_number: phone.slice(1) } }),
    );
    const { origin, pathname, search, hash } = new URL(String(url));
    strictEqual(`${origin}${pathname}${search}`, "https://shop.example/account?lang=hi");
    const { user_id, ...rest } = Object.fromEntries(new URLSearchParams(hash.slice(1)));
    deepStrictEqual(rest, { access_token: token, phone_number: phone });
    const lifeMs = Date.parse(String(expires_at)) - before;
    ok(lifeMs > 60_000 && lifeMs <= 31 * 60_000, `${lifeMs} ms`);
    const headers = { "x-access-token": String(token) };
    dataOf(await profile(phone, headers));
    dataOf(await history(String(user_id), headers));
  });
});

Deno.test("bot-link makes no link where the page's address is missing or none", async () => {
  for (const address of [undefined, "", "shop"]) {
    await withEnvironment({ FRONTEND_URL: address }, async () => {
      const body = { phone_number: newPhoneNumber() };
      const answer = await call("POST", "bot-link", { body });
      expectError(answer, { httpStatus: 500, code: "INTERNAL" });
    });
  }
});

Deno.test("a link for somebody without a number opens that history, and no other", async () => {
  const body = { whatsapp_user_id: newWhatsappId() };
  const { url, token } = dataOf(await call("POST", "bot-link", { body }));
  const userId = new URLSearchParams(new URL(String(url)).hash.slice(1)).get("user_id") ?? "";
  const headers = { "x-access-token": String(token) };
  strictEqual(dataOf(await history(userId, headers)).total, 1);
  expectError(await history(await newUser(newPhoneNumber()), headers), NOT_THE_OWNER);
  expectError(await profile(newPhoneNumber(), headers), NOT_THE_OWNER);
});

Deno.test("a link ends with its time", async () => {
  const phone = newPhoneNumber();
  const owner = { userId: await newUser(phone), phoneNumber: phone };
  const token = await makeLinkToken(owner, new Date(Date.now() - 1000));
  expectError(await profile(phone, { "x-access-token": token }), INVALID_PROOF);
  const valid = await makeLinkToken(owner, new Date(Date.now() + 60_000));
  dataOf(await profile(phone, { "x-access-token": valid }));
});

Deno.test("a link that was altered anywhere proves nothing", async () => {
  const [mine, theirs] = [newPhoneNumber(), newPhoneNumber()];
  const [token, theirToken] = [await linkTokenOf(mine), await linkTokenOf(theirs)];
  const { payload, signature } = partsOf(token);
  const { payload: theirPayload } = partsOf(theirToken);
  const fields = JSON.parse(Buffer.from(payload, "base64url").toString());
  const later = encodePart({ ...fields, expires_at: fields.expires_at + 3600 });
  const flipped = (signature.startsWith("0") ? "1" : "0") + signature.slice(1);
  const altered = [
    `${theirPayload}.${signature}`,
    `${encodePart({ ...fields, phone_number: theirs })}.${signature}`,
    `${later}.${signature}`,
    `${payload}=.${signature}`,
    `${payload}.${flipped}`,
    `${payload}.${signature.toUpperCase()}`,
    `${payload}.${signature.slice(1)}`,
    `${payload}.${signature}0`,
    `${payload}.`,
    `${payload}`,
    `.${signature}`,
    `${payload}.${signature}.`,
    `${token}.${token}`,
    `${signature}.${payload}`,
    `${token}, ${theirToken}`,
    "",
    ".",
    "null",
  ];
  for (const text of altered) {
    for (const phone of [mine, theirs]) {
      expectError(await profile(phone, { "x-access-token": text }), INVALID_PROOF);
    }
  }
});

Deno.test("a link that was signed with another secret proves nothing", async () => {
  const phone = newPhoneNumber();
  const { payload } = partsOf(await linkTokenOf(phone));
  const {
    BOT_SECRET,
    RAZORPAY_KEY_SECRET,
    RAZORPAY_WEBHOOK_SECRET,
    SUPABASE_SECRET_KEY,
    SUPABASE_URL,
  } = environment;
  const signedWith = (secret: string) =>
    `${payload}.${sign(`credits link token\n${SUPABASE_URL}\n${payload}`, secret)}`;
  for (
    const secret of [
      newSecret(),
      RAZORPAY_KEY_SECRET,
      RAZORPAY_WEBHOOK_SECRET,
      SUPABASE_SECRET_KEY,
    ]
  ) {
    const headers = { "x-access-token": signedWith(secret) };
    expectError(await profile(phone, headers), INVALID_PROOF);
  }
  dataOf(await profile(phone, { "x-access-token": signedWith(BOT_SECRET) }));
});

Deno.test("what the bot's secret has signed for any other purpose is no link", async () => {
  const phone = newPhoneNumber();
  const { payload, signature } = partsOf(await linkTokenOf(phone));
  const { BOT_SECRET, SUPABASE_URL } = environment;
  strictEqual(sign(payload, BOT_SECRET).length, signature.length, "both are written alike");
  for (
    const forged of [
      sign(payload, ""),
      sign(payload, BOT_SECRET),
      // Without the words that say what was signed, and without the project that it was signed for.
      sign(`${SUPABASE_URL}\n${payload}`, BOT_SECRET),
      sign(`credits link token\n${payload}`, BOT_SECRET),
    ]
  ) {
    const headers = { "x-access-token": `${payload}.${forged}` };
    expectError(await profile(phone, headers), INVALID_PROOF);
  }
});

Deno.test("a link of another project proves nothing, even where both have one bot secret", async () => {
  const phone = newPhoneNumber();
  const owner = { userId: await newUser(phone), phoneNumber: phone };
  const token = await withEnvironment(
    { SUPABASE_URL: "https://another.supabase.co" },
    () => makeLinkToken(owner, new Date(Date.now() + 60_000)),
  );
  expectError(await profile(phone, { "x-access-token": token }), INVALID_PROOF);
});

Deno.test("a link outlives the bot's secret only while the secret is BOT_SECRET_PREVIOUS", async () => {
  const phone = newPhoneNumber();
  const headers = { "x-access-token": await linkTokenOf(phone) };
  const rotated = { BOT_SECRET: newSecret(), BOT_SECRET_PREVIOUS: environment.BOT_SECRET };
  await withEnvironment(rotated, async () => {
    dataOf(await profile(phone, headers));
    // New links are signed with the new secret at once.
    const fresh = await linkTokenOf(phone);
    await withEnvironment({ BOT_SECRET_PREVIOUS: undefined }, async () => {
      expectError(await profile(phone, headers), INVALID_PROOF);
      dataOf(await profile(phone, { "x-access-token": fresh }));
    });
  });
});

Deno.test("a link with a payload that bot-link never writes proves nothing, even signed", async () => {
  const phone = newPhoneNumber();
  const { payload } = partsOf(await linkTokenOf(phone));
  const fields = JSON.parse(Buffer.from(payload, "base64url").toString());
  const payloads = [
    ...[fields.expires_at + 0.5, 1e300, String(fields.expires_at), null].map((expires_at) =>
      encodePart({ ...fields, expires_at })
    ),
    encodePart({ ...fields, user_id: "nobody" }),
    encodePart(null),
    "bm8ganNvbg",
    "****",
  ];
  for (const body of payloads) {
    const text = `credits link token\n${environment.SUPABASE_URL}\n${body}`;
    const token = `${body}.${sign(text, environment.BOT_SECRET)}`;
    expectError(await profile(phone, { "x-access-token": token }), INVALID_PROOF);
  }
});

Deno.test("where no bot secret is configured, or only a short one, no link proves anything", async () => {
  const owner = { userId: randomUUID(), phoneNumber: newPhoneNumber() };
  const token = await makeLinkToken(owner, new Date(Date.now() + 60_000));
  const { payload } = partsOf(token);
  const short = newSecret().slice(0, 31);
  const text = `credits link token\n${environment.SUPABASE_URL}\n${payload}`;
  for (const secret of [undefined, short]) {
    await withEnvironment({ BOT_SECRET: secret }, async () => {
      strictEqual(await readLinkToken(`${payload}.${sign(text, short)}`), undefined);
      strictEqual(await readLinkToken(token), undefined);
      await rejects(makeLinkToken(owner, new Date()), { name: "ConfigurationError" });
    });
  }
});
