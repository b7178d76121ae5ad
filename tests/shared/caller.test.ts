/**
 * x-bot-secret: who may ask for balances and spend credits.
 * @module
 */

import { strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { call, type CallOptions, dataOf, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { newSecret } from "../support/signing.ts";
import { one } from "../support/lists.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

const BOT_CALLS = {
  "bot-credits": (phone: string, options: CallOptions) =>
    call("GET", `bot-credits/${phone}`, { asBot: false, ...options }),
  "bot-deduct": (phone: string, options: CallOptions) =>
    call("POST", "bot-deduct", { asBot: false, body: { phone_number: phone }, ...options }),
};

const showing = (secret: string) => ({ headers: { "x-bot-secret": secret } });

for (const [name, callAsBot] of Object.entries(BOT_CALLS)) {
  Deno.test(`${name} rejects everybody without x-bot-secret`, async () => {
    for (const options of [{}, showing(""), { headers: { authorization: "Bearer x" } }]) {
      expectError(await callAsBot(newPhoneNumber(), options), {
        httpStatus: 401,
        code: "MISSING_BOT_SECRET",
        message: "Missing x-bot-secret header",
      });
    }
  });

  Deno.test(`${name} rejects everybody with another secret, and changes nothing`, async () => {
    const secret = newSecret();
    const phone = newPhoneNumber();
    await withEnvironment({ BOT_SECRET: secret }, async () => {
      const wrong = [
        newSecret(),
        secret.slice(1),
        secret.slice(0, -1),
        `${secret}x`,
        `${secret}, ${secret}`,
        secret.toUpperCase(),
        "undefined",
        "null",
      ];
      for (const presented of wrong) {
        expectError(await callAsBot(phone, showing(presented)), {
          httpStatus: 401,
          code: "INVALID_BOT_SECRET",
          message: "Invalid bot secret",
        });
      }
    });
    const { count } = one(
      await backend.sql`
      select count(*)::int from public.users where phone_number = ${phone}`,
    );
    strictEqual(count, 0);
  });

  Deno.test(`${name} lets nobody in when no secret is configured`, async () => {
    for (const configured of [undefined, "", "  "]) {
      await withEnvironment(
        { BOT_SECRET: configured, BOT_SECRET_PREVIOUS: configured },
        async () => {
          for (const presented of ["undefined", "null", "x", newSecret()]) {
            expectError(await callAsBot(newPhoneNumber(), showing(presented)), {
              httpStatus: 401,
              code: "INVALID_BOT_SECRET",
              message: "Invalid bot secret",
            });
          }
          expectError(await callAsBot(newPhoneNumber(), showing("  ")), {
            httpStatus: 401,
            code: "MISSING_BOT_SECRET",
          });
        },
      );
    }
  });

  Deno.test(`${name} lets nobody in with a secret that can be guessed, wherever it runs`, async () => {
    const random = newSecret().slice(0, 32);
    await withEnvironment({ BOT_SECRET: random }, async () => {
      dataOf(await callAsBot(newPhoneNumber(), showing(random)));
    });
    const guessable = ["a", random.slice(0, 31), "a".repeat(32), "ab12".repeat(16)];
    for (const secret of guessable) {
      await withEnvironment({ BOT_SECRET: secret, BOT_SECRET_PREVIOUS: secret }, async () => {
        expectError(await callAsBot(newPhoneNumber(), showing(secret)), {
          httpStatus: 401,
          code: "INVALID_BOT_SECRET",
        });
      });
    }
  });

  Deno.test(`${name} takes the new and the previous secret while one replaces the other`, async () => {
    const [secret, previous] = [newSecret(), newSecret()];
    await withEnvironment({ BOT_SECRET: secret, BOT_SECRET_PREVIOUS: previous }, async () => {
      for (const presented of [secret, previous]) {
        dataOf(await callAsBot(newPhoneNumber(), showing(presented)));
      }
    });
    await withEnvironment({ BOT_SECRET: secret, BOT_SECRET_PREVIOUS: undefined }, async () => {
      expectError(await callAsBot(newPhoneNumber(), showing(previous)), {
        httpStatus: 401,
        code: "INVALID_BOT_SECRET",
      });
    });
  });

  Deno.test(`${name} asks for the secret before it reads anything else`, async () => {
    expectError(await callAsBot("nonsense", { body: name === "bot-deduct" ? "{" : undefined }), {
      httpStatus: 401,
      code: "MISSING_BOT_SECRET",
    });
  });
}
