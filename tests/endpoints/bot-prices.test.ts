/**
 * GET bot-prices: a bot asks what actions cost, and which packages are for sale.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { retire, setPrice } from "../support/bot.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { newSecret } from "../support/signing.ts";

const backend = await startBackend();
const { sql } = backend;
Deno.test.afterAll(() => backend.stop());

async function actions(): Promise<Record<string, unknown>[]> {
  return dataOf(await call("GET", "bot-prices")).actions as Record<string, unknown>[];
}

Deno.test("bot-prices lists what each action costs, and the packages, cheapest first", async () => {
  const answer = await call("GET", "bot-prices");
  strictEqual(answer.httpStatus, 200);
  const price = { credits: 1, per_quantity: 1, minimum_credits: 1 };
  deepStrictEqual(answer.body, {
    status: "SUCCESS",
    message: "Prices retrieved successfully",
    data: {
      actions: [
        { id: "chat", unit: "token", ...price, per_quantity: 1000 },
        { id: "image_generation", unit: "image", ...price },
        { id: "video_generation", unit: "video", ...price, credits: 5 },
        { id: "voice_message", unit: "second", ...price, per_quantity: 30 },
      ],
      packages: [
        { id: "starter", name: "Starter", price: 99, credits: 20 },
        { id: "popular", name: "Popular", price: 299, credits: 75 },
        { id: "pro", name: "Pro", price: 799, credits: 250 },
      ],
    },
  });
});

Deno.test("a price is told as it is now, not as it was or will be", async () => {
  const action = await setPrice(sql, { credits: 2, per_quantity: 10, minimum_credits: 4 });
  const told = async () => (await actions()).filter(({ id }) => id === action);
  const price = { id: action, unit: "piece", credits: 2, per_quantity: 10, minimum_credits: 4 };
  deepStrictEqual(await told(), [price]);
  await setPrice(sql, { credits: 3 }, action);
  deepStrictEqual(await told(), [{ ...price, credits: 3, per_quantity: 1, minimum_credits: 1 }]);
  await sql`
    insert into public.action_prices (action_id, unit, credits, done_message, valid_from)
    values (${action}, 'piece', 9, 'Made.', clock_timestamp() + interval '1 day')`;
  deepStrictEqual((await told()).map(({ credits }) => credits), [3]);
});

Deno.test("a retired action is not on the list", async () => {
  const action = await setPrice(sql, { credits: 2 });
  await retire(sql, action);
  deepStrictEqual((await actions()).filter(({ id }) => id === action), []);
});

Deno.test("a package that is not for sale is not on the list, and a price may have paise", async () => {
  await sql`
    insert into public.packages (id, name, price, credits, is_active)
    values ('odd', 'Odd', 49.50, 7, true), ('gone', 'Gone', 50, 7, false)`;
  const { packages } = dataOf(await call("GET", "bot-prices"));
  deepStrictEqual((packages as unknown[])[0], { id: "odd", name: "Odd", price: 49.5, credits: 7 });
  strictEqual((packages as unknown[]).length, 4);
  await sql`delete from public.packages where id in ('odd', 'gone')`;
});

Deno.test("bot-prices is for the bot", async () => {
  expectError(await call("GET", "bot-prices", { asBot: false }), {
    httpStatus: 401,
    code: "MISSING_BOT_SECRET",
  });
  expectError(await call("GET", "bot-prices", { headers: { "x-bot-secret": newSecret() } }), {
    httpStatus: 401,
    code: "INVALID_BOT_SECRET",
  });
});

Deno.test("bot-prices has no path below it, and ignores a query", async () => {
  expectError(await call("GET", "bot-prices/chat"), { httpStatus: 404, code: "NOT_FOUND" });
  dataOf(await call("GET", "bot-prices?action=chat"));
});
