/**
 * What a web page that a developer visits can do to the stack on the developer's machine: nothing,
 * however it gets there.
 * @module
 */

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { isLoopbackHost, isLoopbackUrl } from "../../local/system/loopback.ts";
import { startBackend } from "../support/backend.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { orderPackage } from "../support/purchases.ts";
import { logOf } from "../support/log.ts";

const backend = await startBackend();
const { environment, razorpay } = backend;
Deno.test.afterAll(() => backend.stop());

/** Sends the lines of a request as they are, which `fetch` would correct, and reads the response. */
async function sendRaw(url: string, lines: readonly string[], body = ""): Promise<string> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const length = `content-length: ${new TextEncoder().encode(body).length}`;
  const text = [...lines, "connection: close", length, "", body].join("\r\n");
  await connection.write(new TextEncoder().encode(text));
  return await new Response(connection.readable).text();
}

const statusOf = (response: string) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(response)?.[1]);

const FOREIGN_HOSTS = [
  "rebind.evil.example",
  "rebind.evil.example:59321",
  "127.0.0.1.evil.example",
  "localhost.evil.example:80",
  "127.0.0.1@evil.example",
  "a@b:c",
  "[::",
  "[::2]",
  "127.0.0.1:99999",
  "127.0.0.1:",
  "127.0.0.1:80:80",
  "0.0.0.0",
  "192.168.1.7:54321",
  "",
];

Deno.test.each(FOREIGN_HOSTS)("the backend does not answer to the host '%s'", async (host) => {
  const phone = newPhoneNumber();
  const printed = await logOf(async () => {
    for (
      const path of [`/functions/v1/users/${phone}`, "/rest/v1/packages", "/", "/openapi.json"]
    ) {
      const response = await sendRaw(environment.SUPABASE_URL, [
        `GET ${path} HTTP/1.1`,
        `host: ${host}`,
        `apikey: ${environment.SUPABASE_PUBLISHABLE_KEY}`,
      ]);
      match(response, /^HTTP\/1\.1 4(00|21) /);
      strictEqual(response.includes(phone), false);
    }
  });
  deepStrictEqual(printed, []);
});

Deno.test.each(FOREIGN_HOSTS)(
  "the Razorpay stand-in does not answer to the host '%s'",
  async (host) => {
    for (const path of ["/_control/webhooks", "/_control/requests", "/v1/orders", "//", "*"]) {
      const response = await sendRaw(razorpay.url, [`GET ${path} HTTP/1.1`, `host: ${host}`]);
      match(response, /^HTTP\/1\.1 4(00|21) /);
    }
  },
);

Deno.test("a request without a host, or for another one, is refused", async () => {
  for (const url of [environment.SUPABASE_URL, razorpay.url]) {
    for (
      const lines of [
        ["GET / HTTP/1.0"],
        ["GET / HTTP/1.1"],
        ["GET http://evil.example/ HTTP/1.1", "host: evil.example"],
      ]
    ) {
      match(await sendRaw(url, lines), /^HTTP\/1\.[01] 4(00|21) /);
    }
  }
});

Deno.test.each(["127.0.0.1", "127.0.0.1:1", "localhost", "LOCALHOST:54321", "[::1]:54321"])(
  "the backend and the stand-in answer to the host %s",
  async (host) => {
    const path = `/functions/v1/users/${newPhoneNumber()}`;
    const lines = (target: string) => [`GET ${target} HTTP/1.1`, `host: ${host}`];
    strictEqual(statusOf(await sendRaw(environment.SUPABASE_URL, lines(path))), 200);
    strictEqual(statusOf(await sendRaw(razorpay.url, lines("/_control/webhooks"))), 200);
  },
);

Deno.test.each(["TRACE", "TRACK", "CONNECT", "get", "post", "Post"])(
  "the method %s gets a plain refusal",
  async (method) => {
    const printed = await logOf(async () => {
      for (const path of ["/functions/v1/users/x", "/rest/v1/packages", "/"]) {
        const response = await sendRaw(environment.SUPABASE_URL, [
          `${method} ${path} HTTP/1.1`,
          "host: 127.0.0.1",
        ]);
        match(response, /^HTTP\/1\.1 4\d\d /);
      }
    });
    deepStrictEqual(printed, []);
  },
);

const PAY = JSON.stringify({ outcome: "captured" });

/** What a page at an origin can send without being asked first, and with. */
function payment(orderId: string, headers: Record<string, string>): Promise<Response> {
  return fetch(`${razorpay.url}/_control/orders/${orderId}/pay`, {
    method: "POST",
    headers,
    body: PAY,
  });
}

Deno.test("a foreign page cannot play the customer, nor read what the stand-in knows", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  const json = { "content-type": "application/json" };
  const attempts: [Record<string, string>, number][] = [
    [{ origin: "https://evil.example", "content-type": "text/plain" }, 403],
    [{ origin: "https://evil.example", ...json }, 403],
    [{ origin: "null", ...json }, 403],
    [{ origin: "http://127.0.0.1.evil.example", ...json }, 403],
    [{ "content-type": "text/plain" }, 415],
    [{ "content-type": "application/x-www-form-urlencoded" }, 415],
    [{ "content-type": "text/plain; application/json" }, 415],
    [{ "content-type": "application/jsonp" }, 415],
    [{ origin: "http://127.0.0.1:3000", "content-type": "text/plain" }, 415],
  ];
  for (const [headers, status] of attempts) {
    const response = await payment(orderId, headers);
    strictEqual(response.status, status, JSON.stringify(headers));
    strictEqual(response.headers.get("access-control-allow-origin"), null);
    await response.body?.cancel();
  }
  for (const path of ["webhooks", "settings", "requests"]) {
    const response = await fetch(`${razorpay.url}/_control/${path}`, {
      headers: { origin: "https://evil.example" },
    });
    strictEqual(response.status, 403);
    await response.body?.cancel();
  }
  const preflight = await fetch(`${razorpay.url}/_control/orders/${orderId}/pay`, {
    method: "OPTIONS",
    headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
  });
  strictEqual(preflight.ok, false);
  await preflight.body?.cancel();
  const own = {
    origin: "http://127.0.0.1:54321",
    "content-type": "application/json; charset=utf-8",
  };
  const paid = await payment(orderId, own);
  strictEqual(paid.status, 200, "no attempt before has paid the order");
  await paid.body?.cancel();
});

Deno.test.each([
  "http://169.254.169.254/latest/meta-data",
  "https://evil.example/hook",
  "http://127.0.0.1.evil.example/",
  "http://127.0.0.1@evil.example/",
  "http://[::2]/",
  "http://0.0.0.0:80/",
])("webhooks are not sent to %s", async (webhook_url) => {
  const response = await fetch(`${razorpay.url}/_control/settings`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ webhook_url }),
  });
  strictEqual(response.status, 400);
  match(await response.text(), /must be an address of this machine.*webhook_url/);
});

Deno.test("a host and an address of this machine are told from others", () => {
  strictEqual(isLoopbackHost(null), false);
  strictEqual(isLoopbackHost(undefined), false);
  for (const url of ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:1/path"]) {
    strictEqual(isLoopbackUrl(url), true, url);
  }
  for (const url of ["", "null", "ftp://127.0.0.1", "http://localhost.evil.example", "file:///"]) {
    strictEqual(isLoopbackUrl(url), false, url);
  }
});
