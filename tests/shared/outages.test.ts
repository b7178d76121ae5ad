/**
 * The database is away, slow, busy or cut off: the caller is told to come back, and nothing is half
 * done.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import {
  closedUrl,
  fixedAnswerServer,
  lossyProxy,
  silentServer,
  whileDataApiIs,
} from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { orderPackage, payForPackage, signedCheckout, verify } from "../support/purchases.ts";
import { one } from "../support/lists.ts";
import { withQuickTimers } from "../support/quick-timers.ts";
import { until } from "../../local/system/until.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());

const UNAVAILABLE = { httpStatus: 503, code: "UNAVAILABLE" };

/** A good call of every function. */
function callEach(): Promise<Answer>[] {
  const phone = newPhoneNumber();
  const checkout = signedCheckout(`order_${"1".repeat(14)}`, `pay_${"1".repeat(14)}`);
  return [
    call("GET", `bot-credits/${phone}`),
    call("POST", "bot-deduct", { body: { phone_number: phone, reference_id: "job-1" } }),
    call("GET", `users/${phone}`),
    call("GET", `credit-history/${randomUUID()}`),
    call("POST", "create-order", { body: { phone_number: phone, package_id: "starter" } }),
    verify({ phone, packageId: "starter", checkout }),
  ];
}

async function balanceOf(phone: string): Promise<unknown> {
  return dataOf(await call("GET", `bot-credits/${phone}`)).remaining_credits;
}

Deno.test("every function returns UNAVAILABLE while nothing listens at the Data API's address", async () => {
  await withEnvironment({ SUPABASE_URL: closedUrl() }, async () => {
    for (const answer of await Promise.all(callEach())) expectError(answer, UNAVAILABLE);
  });
});

Deno.test(
  "every function returns UNAVAILABLE when the Data API takes its call and never responds",
  { timeout: 30_000 },
  async () => {
    await whileDataApiIs(silentServer(), async () => {
      const answers = withQuickTimers("AbortSignal.timeout", () => Promise.all(callEach()), {
        onlyMs: 5_000,
      });
      for (const answer of await answers) expectError(answer, UNAVAILABLE);
    });
  },
);

const PROXY_PAGE = "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>";

Deno.test.each(
  [
    ["502 with HTML", 502, "text/html", PROXY_PAGE],
    ["502 with nothing", 502, "text/plain", ""],
    ["503 with HTML", 503, "text/html", PROXY_PAGE],
    ["504 with HTML", 504, "text/html", PROXY_PAGE],
    ["544 with HTML", 544, "text/html", PROXY_PAGE],
    ["that it cannot connect", 503, "application/json", postgrestError("PGRST001")],
    ["that it has no schema yet", 503, "application/json", postgrestError("PGRST002")],
    ["that its pool is used up", 504, "application/json", postgrestError("PGRST003")],
    ["that there are too many connections", 503, "application/json", postgrestError("53300")],
    ["that it waited too long for a lock", 500, "application/json", postgrestError("55P03")],
    ["that the statement took too long", 500, "application/json", postgrestError("57014")],
    ["that the server shuts down", 500, "application/json", postgrestError("57P01")],
    ["of a deadlock", 500, "application/json", postgrestError("40P01")],
    ["of a serialization failure", 500, "application/json", postgrestError("40001")],
    ["that it is read-only", 405, "application/json", postgrestError("25006")],
    ["that a transaction was idle for too long", 500, "application/json", postgrestError("25P03")],
    ["that a transaction took too long", 500, "application/json", postgrestError("25P04")],
    ["408 with nothing", 408, "text/plain", ""],
    ["that the disk is full", 503, "application/json", postgrestError("53100")],
  ] as const,
)(
  "every function returns UNAVAILABLE when the Data API says %s",
  async (_, status, contentType, text) => {
    await whileDataApiIs(fixedAnswerServer(status, contentType, text), async () => {
      for (const answer of await Promise.all(callEach())) expectError(answer, UNAVAILABLE);
    });
  },
);

Deno.test.each(
  [
    ["permission denied", 403, postgrestError("42501")],
    ["an unknown function", 404, postgrestError("PGRST202")],
    ["a broken promise of ours", 400, postgrestError("22023")],
    ["a wrong key", 401, '{"message":"Invalid API key","hint":"Double check your key"}'],
    ["a row of another shape", 200, '[{"outcome":"surprise"}]'],
    ["no row", 200, "[]"],
    ["a number", 200, "42"],
  ] as const,
)("every function returns INTERNAL, and no more than that, for %s", async (_, status, text) => {
  await whileDataApiIs(fixedAnswerServer(status, "application/json", text), async () => {
    for (const answer of await Promise.all(callEach())) {
      const { httpStatus, body } = answer;
      // No row about an order means that there is no such order.
      if (body.code === "ORDER_NOT_FOUND" && text === "[]") continue;
      deepStrictEqual({ httpStatus, body }, {
        httpStatus: 500,
        body: {
          status: "ERROR",
          message: "Something went wrong on our side",
          code: "INTERNAL",
        },
      });
    }
  });
});

Deno.test("a call that waits for a lock in vain is UNAVAILABLE, and changes nothing", {
  timeout: 30_000,
}, async () => {
  const phone = newPhoneNumber();
  strictEqual(await balanceOf(phone), 3);
  const paid = await payForPackage(control, phone, "starter");
  const reference_id = "job-1";
  const charged = () => call("POST", "bot-deduct", { body: { phone_number: phone } });
  const chargedOnce = () =>
    call("POST", "bot-deduct", { body: { phone_number: phone, reference_id } });
  const linked = () =>
    call("POST", "bot-payment-link", { body: { phone_number: phone, package_id: "pro" } });
  await backend.sql.begin(async (sql) => {
    await sql`select from public.users where phone_number = ${phone} for update`;
    const blocked = await Promise.all([charged(), chargedOnce(), linked(), verify(paid)]);
    for (const answer of blocked) expectError(answer, UNAVAILABLE);
    // Read-only calls do not wait for locks, and an order at the checkout is not about a user yet.
    strictEqual(await balanceOf(phone), 3);
    await orderPackage(phone, "popular");
  });
  // A call that was answered must not go on behind its caller's back, now that the lock is free.
  await until("nothing is under way in the database", async () => await statementsUnderWay() === 0);
  strictEqual(await balanceOf(phone), 3);
  const deduction = await chargedOnce();
  strictEqual(deduction.headers.get("idempotent-replayed"), null);
  strictEqual(dataOf(deduction).remaining_credits, 2);
  strictEqual(dataOf(await verify(paid)).remaining_credits, 22);
  dataOf(await linked());
});

Deno.test("a deduction whose answer got lost is not charged again under its reference", async () => {
  const phone = newPhoneNumber();
  const deduct = () =>
    call("POST", "bot-deduct", { body: { phone_number: phone, reference_id: "job-1" } });
  const proxy = lossyProxy(backend.environment.SUPABASE_URL);
  await whileDataApiIs(proxy, async () => {
    proxy.loseAnswer = 1;
    expectError(await deduct(), UNAVAILABLE);
    const again = await deduct();
    strictEqual(again.headers.get("idempotent-replayed"), "true");
    strictEqual(dataOf(again).remaining_credits, 2);
  });
  strictEqual(await balanceOf(phone), 2);
});

Deno.test("a first contact whose answer got lost is welcomed once", async () => {
  const phone = newPhoneNumber();
  const proxy = lossyProxy(backend.environment.SUPABASE_URL);
  await whileDataApiIs(proxy, async () => {
    proxy.loseAnswer = 1;
    expectError(await call("GET", `users/${phone}`), UNAVAILABLE);
    strictEqual(dataOf(await call("GET", `users/${phone}`)).credits, 3);
  });
});

Deno.test("an order whose answer got lost on the way to us is the order that is answered later", async () => {
  const phone = newPhoneNumber();
  const order = () => orderPackage(phone, "starter");
  const body = { phone_number: phone, package_id: "starter" };
  const proxy = lossyProxy(backend.environment.SUPABASE_URL);
  await whileDataApiIs(proxy, async () => {
    proxy.loseAnswer = 1;
    expectError(await call("POST", "create-order", { body }), UNAVAILABLE);
    strictEqual(await order(), await order());
  });
  const { count } = one(
    await backend.sql`
    select count(*)::int from public.payment_orders where phone_number = ${phone}`,
  );
  strictEqual(count, 1);
});

Deno.test("a verification whose answer got lost is answered later, and credited once", async () => {
  const paid = await payForPackage(control, newPhoneNumber(), "starter");
  const proxy = lossyProxy(backend.environment.SUPABASE_URL);
  await whileDataApiIs(proxy, async () => {
    for (const answerThatGetsLost of [1, 2]) {
      proxy.loseAnswer = answerThatGetsLost;
      expectError(await verify(paid), UNAVAILABLE);
    }
    strictEqual(dataOf(await verify(paid)).remaining_credits, 23);
  });
  strictEqual(await balanceOf(paid.phone), 23);
});

Deno.test.each(["40P01", "40001"])(
  "a call that the database has rolled back with %s is made again, twice at most",
  async (code) => {
    for (const failures of [1, 2, 3]) {
      const phone = newPhoneNumber();
      let calls = 0;
      const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
        const { pathname, search } = new URL(request.url);
        calls++;
        if (calls <= failures) {
          return new Response(postgrestError(code), {
            status: 500,
            headers: { "content-type": "application/json" },
          });
        }
        return fetch(`${backend.environment.SUPABASE_URL}${pathname}${search}`, request);
      });
      try {
        const url = `http://127.0.0.1:${server.addr.port}`;
        const answer = await withEnvironment(
          { SUPABASE_URL: url },
          () => call("POST", "bot-deduct", { body: { phone_number: phone } }),
        );
        if (failures < 3) strictEqual(dataOf(answer).remaining_credits, 2);
        else expectError(answer, UNAVAILABLE);
        strictEqual(calls, 3 === failures ? 3 : failures + 1);
      } finally {
        await server.shutdown();
      }
    }
  },
);

Deno.test("a redirect of the Data API is not followed, so the key goes nowhere else", async () => {
  let followed = 0;
  const elsewhere = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    followed++;
    return Response.json([]);
  });
  const redirecting = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    const location = `http://127.0.0.1:${elsewhere.addr.port}/`;
    return new Response(null, { status: 307, headers: { location } });
  });
  try {
    await withEnvironment(
      { SUPABASE_URL: `http://127.0.0.1:${redirecting.addr.port}` },
      async () => {
        for (const answer of await Promise.all(callEach())) expectError(answer, UNAVAILABLE);
      },
    );
    strictEqual(followed, 0);
  } finally {
    await Promise.all([redirecting.shutdown(), elsewhere.shutdown()]);
  }
});
/** How many statements other sessions are working on, or waiting with. */
async function statementsUnderWay(): Promise<number> {
  const { count } = one(
    await backend.sql`
    select count(*)::int from pg_catalog.pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
      and backend_type = 'client backend' and state <> 'idle'`,
  );
  return count;
}

/** An error as PostgREST writes it, full of what no caller should see. */
function postgrestError(code: string): string {
  return JSON.stringify({
    code,
    message: 'relation "public.users" in schema cache',
    details: "select u.credits from public.users u",
    hint: "Try again with another key",
  });
}
