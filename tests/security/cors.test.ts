/**
 * CORS: which pages may read a response, tested over HTTP with the requests of a browser.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { corsHeaders as supabaseCorsHeaders } from "@supabase/supabase-js/cors";
import { OPERATIONS } from "shared/contract/operations.ts";
import type { Operation } from "shared/contract/operation.ts";
import { startBackend } from "../support/backend.ts";
import { isForPages, readAnswer } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { newOperator } from "../support/operators.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

const SHOP = "https://shop.example";

const CONSOLE = "https://console.example";

const FOR_PAGES = OPERATIONS.filter(isForPages);
const FOR_THE_CONSOLE = OPERATIONS.filter(({ operatorRole }) => operatorRole !== undefined);
const NOT_FOR_PAGES = OPERATIONS.filter((operation) =>
  !isForPages(operation) && !FOR_THE_CONSOLE.includes(operation)
);

const addressOf = (path: string) => `${backend.environment.SUPABASE_URL}/functions/v1/${path}`;

/** What a page of `origin` is allowed to read; `null` is a request without an origin. */
async function headersFor(
  method: string,
  path: string,
  origin: string | null,
  init: RequestInit = {},
): Promise<Headers> {
  const headers = { ...(origin !== null && { origin }), ...init.headers };
  const response = await fetch(addressOf(path), { ...init, method, headers, redirect: "manual" });
  await response.body?.cancel();
  return response.headers;
}

/** The origin that both the preflight and the response itself allow. */
async function allowedOrigin(operation: Operation, origin: string | null): Promise<string | null> {
  const { name, method } = operation;
  const body = method === "POST" ? "{}" : null;
  const before = await headersFor("OPTIONS", name, origin);
  const after = await headersFor(method, name, origin, { body });
  const allowed = after.get("access-control-allow-origin");
  strictEqual(before.get("access-control-allow-origin"), allowed);
  for (const headers of [before, after]) {
    strictEqual(headers.get("access-control-allow-credentials"), null);
    // A response that depends on the origin must not be cached for another one.
    if (isForPages(operation) && allowed !== "*") match(headers.get("vary") ?? "", /\bOrigin\b/);
  }
  return allowed;
}

function withOrigins<Result>(origins: string | undefined, act: () => Promise<Result>) {
  return withEnvironment({ ALLOWED_ORIGINS: origins }, act);
}

Deno.test("every function is either for pages or not, and both kinds are tested here", () => {
  deepStrictEqual(FOR_PAGES.map(({ name }) => name), [
    "users",
    "credit-history",
    "create-order",
    "verify-payment",
  ]);
  const forOperators = OPERATIONS.filter(({ caller }) => caller === "operator");
  strictEqual(FOR_THE_CONSOLE.length, forOperators.length - 2);
  strictEqual(NOT_FOR_PAGES.length, OPERATIONS.length - 4 - FOR_THE_CONSOLE.length);
});

for (const operation of FOR_PAGES) {
  const { name, method } = operation;

  Deno.test(`${name} names the origin that is allowed, and no other`, async () => {
    await withOrigins(SHOP, async () => {
      strictEqual(await allowedOrigin(operation, SHOP), SHOP);
      strictEqual(await allowedOrigin(operation, "https://other.example"), null);
      strictEqual(await allowedOrigin(operation, null), null);
    });
  });

  Deno.test(`${name} allows any page where ALLOWED_ORIGINS is *`, async () => {
    await withOrigins("*", async () => {
      for (const origin of [SHOP, "http://localhost:3000", "null", null]) {
        strictEqual(await allowedOrigin(operation, origin), "*");
      }
    });
  });

  Deno.test(`${name} allows no page where ALLOWED_ORIGINS is unset or empty`, async () => {
    for (const origins of [undefined, "", "  ", " , "]) {
      await withOrigins(origins, async () => {
        for (const origin of [SHOP, "", "null", "undefined", "*"]) {
          strictEqual(await allowedOrigin(operation, origin), null, `${origin} of ${origins}`);
        }
      });
    }
  });

  Deno.test(`a preflight of ${name} allows every header that supabase-js and a page send`, async () => {
    await withOrigins(SHOP, async () => {
      const headers = await headersFor("OPTIONS", name, SHOP, {
        headers: {
          "access-control-request-method": method,
          "access-control-request-headers": "apikey,authorization,x-access-token",
        },
      });
      const { "Access-Control-Allow-Headers": sentBySupabaseJs = "" } = supabaseCorsHeaders;
      const list = (name: string) => headers.get(name)?.toLowerCase().split(/\s*,\s*/) ?? [];
      const sent = [
        ...sentBySupabaseJs.toLowerCase().split(/\s*,\s*/),
        "x-region",
        "x-access-token",
        "x-request-id",
        "idempotency-key",
      ];
      deepStrictEqual(list("access-control-allow-headers").sort(), sent.sort());
      deepStrictEqual(list("access-control-allow-methods"), [method.toLowerCase(), "options"]);
      match(headers.get("access-control-max-age") ?? "", /^[0-9]+$/);
    });
  });
}

const LOOKALIKES = [
  `${SHOP}.attacker.example`,
  "https://attacker-shop.example",
  "https://shop.example.com",
  "https://a.shop.example",
  "https://shop.exampl",
  "https://shop-example",
  "http://shop.example",
  "https://shop.example:8443",
  "https://shop.example:443",
  "https://shop.example/",
  "https://shop.example@attacker.example",
  "https://attacker.example/https://shop.example",
  "https://SHOP.example",
  "https://sh\u00F6p.example",
  `${SHOP},https://attacker.example`,
  `https://attacker.example ${SHOP}`,
  "shop.example",
  "//shop.example",
  "https://",
  "null",
  "*",
];

Deno.test.each(LOOKALIKES)("%s is not the origin that is allowed", async (origin) => {
  await withOrigins(SHOP, async () => {
    for (const operation of FOR_PAGES) strictEqual(await allowedOrigin(operation, origin), null);
  });
});

Deno.test("each of several origins is allowed for itself alone", async () => {
  const origins = [SHOP, "https://admin.shop.example", "http://localhost:5173"];
  await withOrigins(`${origins[0]}, ${origins[1]} ,${origins[2]},`, async () => {
    for (const operation of FOR_PAGES) {
      for (const origin of origins) strictEqual(await allowedOrigin(operation, origin), origin);
      for (const origin of [origins.join(","), origins.join(", "), "http://localhost:5174", ""]) {
        strictEqual(await allowedOrigin(operation, origin), null);
      }
    }
  });
});

Deno.test("an origin is never a pattern", async () => {
  await withOrigins("https://*.example, https://shop.?xample, .*", async () => {
    for (const operation of FOR_PAGES) strictEqual(await allowedOrigin(operation, SHOP), null);
  });
});

Deno.test.each(NOT_FOR_PAGES.map(({ name }) => name))(
  "no page can read %s, whatever is allowed",
  async (name) => {
    const operation = NOT_FOR_PAGES.find((operation) => operation.name === name);
    ok(operation);
    for (const origins of ["*", SHOP, undefined]) {
      await withOrigins(origins, async () => {
        for (const origin of [SHOP, "null"]) {
          strictEqual(await allowedOrigin(operation, origin), null);
        }
        const preflight = await headersFor("OPTIONS", name, SHOP);
        ok(!preflight.get("access-control-allow-headers")?.includes("x-bot-secret"));
      });
    }
  },
);

function withConsole<Result>(origin: string | undefined, act: () => Promise<Result>) {
  return withEnvironment({ CONSOLE_ORIGIN: origin, ALLOWED_ORIGINS: `${SHOP}, *` }, act);
}

Deno.test.each(FOR_THE_CONSOLE.map(({ name }) => name))(
  "pages of the console can read %s, and no others, whatever customers' pages are allowed",
  async (name) => {
    const operation = FOR_THE_CONSOLE.find((operation) => operation.name === name);
    ok(operation);
    await withConsole(CONSOLE, async () => {
      strictEqual(await allowedOrigin(operation, CONSOLE), CONSOLE);
      for (const origin of [SHOP, "null", "*", null]) {
        strictEqual(await allowedOrigin(operation, origin), null);
      }
      const preflight = await headersFor("OPTIONS", name, CONSOLE);
      for (const header of ["authorization", "apikey", "content-type", "x-request-id"]) {
        ok(preflight.get("access-control-allow-headers")?.split(", ").includes(header));
      }
    });
    for (const setting of [undefined, "", "*", "null", `${CONSOLE}/`, `${CONSOLE}, ${SHOP}`]) {
      await withConsole(setting, async () => {
        for (const origin of [CONSOLE, SHOP, "null", "*"]) {
          strictEqual(await allowedOrigin(operation, origin), null, `${origin} of ${setting}`);
        }
      });
    }
  },
);

Deno.test("pages of the console can read nothing else", async () => {
  await withEnvironment({ CONSOLE_ORIGIN: CONSOLE, ALLOWED_ORIGINS: SHOP }, async () => {
    for (const operation of [...FOR_PAGES, ...NOT_FOR_PAGES]) {
      strictEqual(await allowedOrigin(operation, CONSOLE), null, operation.name);
    }
  });
});

Deno.test("a page of the console reads what it is answered, refusals as well", async () => {
  const { headers } = await newOperator(backend);
  await withConsole(CONSOLE, async () => {
    const ask = async (sent: Record<string, string>) => {
      const response = await fetch(addressOf("get-operator"), {
        headers: { ...sent, origin: CONSOLE },
      });
      strictEqual(response.headers.get("access-control-allow-origin"), CONSOLE);
      return await readAnswer(response);
    };
    strictEqual((await ask(headers)).httpStatus, 200);
    strictEqual((await ask({})).body.code, "INVALID_SECRET_KEY");
    strictEqual((await ask({ authorization: "Bearer a.b.c" })).body.code, "INVALID_SESSION");
  });
});

/** A request that ends in an error. A page that cannot read it would see a network failure. */
interface Mishap {
  readonly httpStatus: number;
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly environment?: Record<string, string>;
}

const order = (packageId = "starter") =>
  JSON.stringify({ package_id: packageId, phone_number: newPhoneNumber() });

const MISHAPS: Record<string, Mishap> = {
  INVALID_REQUEST: { httpStatus: 400, method: "GET", path: "users/nobody" },
  MISSING_FIELD: { httpStatus: 400, method: "POST", path: "create-order", body: "{}" },
  INVALID_JSON: { httpStatus: 400, method: "POST", path: "verify-payment", body: "{" },
  PROOF_REQUIRED: {
    httpStatus: 401,
    method: "GET",
    path: `credit-history/${crypto.randomUUID()}`,
    environment: { FRONTEND_ACCESS: "phone-proof" },
  },
  USER_NOT_FOUND: { httpStatus: 404, method: "GET", path: `credit-history/${crypto.randomUUID()}` },
  PACKAGE_NOT_FOUND: {
    httpStatus: 404,
    method: "POST",
    path: "create-order",
    body: order("no-such-package"),
  },
  NOT_FOUND: { httpStatus: 404, method: "GET", path: "users/a/b" },
  METHOD_NOT_ALLOWED: { httpStatus: 405, method: "DELETE", path: `users/${newPhoneNumber()}` },
  BODY_TOO_LARGE: {
    httpStatus: 413,
    method: "POST",
    path: "create-order",
    body: " ".repeat(20_000),
  },
  INTERNAL: {
    httpStatus: 500,
    method: "POST",
    path: "create-order",
    body: order(),
    environment: { RAZORPAY_KEY_ID: "" },
  },
  RATE_LIMITED: { httpStatus: 429, method: "GET", path: `users/${newPhoneNumber()}` },
  UNAVAILABLE: { httpStatus: 503, method: "GET", path: `users/${newPhoneNumber()}` },
};

/** Statements that cause an error in the database, and those that undo them. */
const IN_THE_DATABASE: Record<string, { before: string; after: string }> = {
  RATE_LIMITED: {
    before: "update public.rate_limits set max_count = 0",
    after: "update public.rate_limits set max_count = 1000000",
  },
  UNAVAILABLE: {
    before: `
      create function public.stop_users() returns trigger language plpgsql as
        $$ begin raise exception using errcode = '57P03'; end $$;
      create trigger stop_users before insert on public.users execute function public.stop_users()`,
    after: "drop function public.stop_users() cascade",
  },
};

for (const [code, mishap] of Object.entries(MISHAPS)) {
  Deno.test(`an allowed page can read ${code} with its headers, and another page cannot`, async () => {
    const { httpStatus, method, path, body, environment } = mishap;
    const read = async (origin: string) => {
      const answer = await readAnswer(
        await fetch(addressOf(path), { method, body: body ?? null, headers: { origin } }),
      );
      strictEqual(`${answer.httpStatus} ${answer.body.code}`, `${httpStatus} ${code}`);
      return answer.headers;
    };
    await backend.sql.unsafe(IN_THE_DATABASE[code]?.before ?? "");
    try {
      await withEnvironment({ ALLOWED_ORIGINS: SHOP, ...environment }, async () => {
        const headers = await read(SHOP);
        strictEqual(headers.get("access-control-allow-origin"), SHOP);
        match(headers.get("vary") ?? "", /\bOrigin\b/);
        const exposed = headers.get("access-control-expose-headers")?.split(", ").sort();
        deepStrictEqual(exposed, ["idempotent-replayed", "retry-after", "x-request-id"]);
        const others = await read("https://other.example");
        strictEqual(others.get("access-control-allow-origin"), null);
        strictEqual(others.get("access-control-expose-headers"), null);
      });
    } finally {
      await backend.sql.unsafe(IN_THE_DATABASE[code]?.after ?? "");
    }
  });
}
