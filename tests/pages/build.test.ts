/**
 * What is built of the pages: the same each time, small enough, with names that change with the
 * contents, and served with the headers of the `_headers` file and no others.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import { buildPage, compressedSize } from "../../local/pages/build.ts";
import { parseConfiguration } from "../../local/pages/configuration.ts";
import { formatHeaders, headersFor, parseHeaders } from "../../local/pages/headers.ts";
import { BUDGET_BYTES, CHECKOUT_URL, PAGES } from "../../local/pages/pages.ts";
import { servePage } from "../../local/pages/serve.ts";

const CONFIGURATION = {
  supabase_url: "https://abcdefghijklmnopqrst.supabase.co",
  publishable_key: "sb_publishable_example",
  seller_name: "Image bot",
  checkout_url: CHECKOUT_URL,
};

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

for (const page of PAGES) {
  const files = await buildPage(page, CONFIGURATION);

  Deno.test(`the ${page} page is within its budget`, () => {
    const size = compressedSize(files);
    ok(size <= BUDGET_BYTES[page], `${size} bytes of ${BUDGET_BYTES[page]}`);
  });

  Deno.test(`the ${page} page is built alike each time`, async () => {
    const again = await buildPage(page, CONFIGURATION);
    deepStrictEqual([...again], [...files]);
  });

  Deno.test(`the ${page} page loads its script, its style and its configuration, and the script its parts`, () => {
    const loaded = text(files.get("index.html")).match(/(?<=(?:href|src)=")[^"#]+/g) ?? [];
    const own = loaded.filter((path) => !path.startsWith("data:"));
    for (const path of own) ok(path === "config.json" || /-[0-9a-f]{10}\.(js|css)$/.test(path));
    const script = own.find((path) => path.endsWith(".js")) ?? "";
    const parts = text(files.get(script)).match(/(?<=import\("\.\/)[\w-]+\.js/g) ?? [];
    for (const part of parts) match(part, /-[0-9A-Z]{8}\.js$/);
    deepStrictEqual(
      [...own, ...parts.map((part) => `assets/${part}`)].sort(),
      [...files.keys()].filter((path) => /^assets|^config/.test(path)).sort(),
    );
  });

  Deno.test(`the ${page} page has no inline script, which its policy would stop`, () => {
    ok(!/<script(?![^>]* src=)|<style|\son\w+=/.test(text(files.get("index.html"))));
  });

  Deno.test(`the ${page} page's hashed files are kept for long, and its other files are asked about`, () => {
    const rules = parseHeaders(text(files.get("_headers")));
    const paths = ["", ...files.keys()].filter((name) => name !== "_headers");
    for (const path of paths) {
      const isHashed = path.startsWith("assets/");
      strictEqual(
        headersFor(rules, `/${path}`)["cache-control"],
        isHashed ? "public, max-age=31536000, immutable" : "no-cache",
        path,
      );
    }
  });

  Deno.test(`no two rules set one header of a file of the ${page} page`, () => {
    const rules = parseHeaders(text(files.get("_headers")));
    for (const path of ["", ...files.keys()]) {
      const names = rules.filter((rule) => Object.keys(headersFor([rule], `/${path}`)).length > 0)
        .flatMap(([, headers]) => Object.keys(headers));
      deepStrictEqual(names, [...new Set(names)], path);
    }
  });

  Deno.test(`the ${page} page is served with what _headers says`, async () => {
    const served = servePage(files, { port: 0, setting: "PORT" });
    try {
      const rules = parseHeaders(text(files.get("_headers")));
      for (
        const path of ["", "config.json", ...files.keys()].filter((name) => name !== "_headers")
      ) {
        const response = await fetch(new URL(path, served.url));
        strictEqual(response.status, 200);
        await response.body?.cancel();
        for (const [name, value] of Object.entries(headersFor(rules, `/${path}`))) {
          strictEqual(response.headers.get(name), value, name);
        }
      }
      for (const path of ["_headers", "main.tsx", "assets/", "../deno.json"]) {
        const response = await fetch(new URL(path, served.url));
        strictEqual(response.status, 404, path);
        await response.body?.cancel();
      }
      const post = await fetch(served.url, { method: "POST", body: "x" });
      strictEqual(post.status, 405);
      await post.body?.cancel();
    } finally {
      await served.stop();
    }
  });
}

Deno.test("a _headers file says what it was made from", () => {
  const rules = [
    ["/*", { "content-security-policy": "default-src 'none'; img-src data: https:" }],
    ["/assets/*", { "cache-control": "immutable" }],
  ] as const;
  deepStrictEqual(parseHeaders(formatHeaders(rules)), rules.map((rule) => [...rule]));
});

Deno.test("the values are joined where two rules name one header, as Cloudflare Pages does", () => {
  const rules = [["/*", { a: "1", b: "1" }], ["/x/*", { a: "2" }]] as const;
  deepStrictEqual(headersFor(rules, "/x/y"), { a: "1, 2", b: "1" });
  deepStrictEqual(headersFor(rules, "/y"), { a: "1", b: "1" });
});

Deno.test("the account page's policy names the real Checkout's hosts, and the console's none", async () => {
  const policy = async (page: typeof PAGES[number], checkout_url: string) => {
    const files = await buildPage(page, { ...CONFIGURATION, checkout_url });
    return headersFor(parseHeaders(text(files.get("_headers"))), "/")["content-security-policy"];
  };
  match(
    await policy("account", CHECKOUT_URL) ?? "",
    /script-src 'self' https:\/\/\*\.razorpay\.com;/,
  );
  const standIn = await policy("account", "http://127.0.0.1:54323/v1/checkout.js") ?? "";
  match(standIn, /script-src 'self' http:\/\/127\.0\.0\.1:54323;/);
  ok(!standIn.includes("razorpay.com"));
  ok(!(await policy("console", CHECKOUT_URL))?.includes("razorpay"));
});

const wrong: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  ["a secret key", { publishable_key: "sb_secret_example" }, /publishable_key must begin with/],
  [
    "an address with a path",
    { supabase_url: "https://a.example/x" },
    /supabase_url must be an address/,
  ],
  ["no seller", { seller_name: "" }, /seller_name/],
  ["an unknown field", { suplier: "x" }, /^TaskError: The configuration is wrong: .*suplier/],
  ["a script as Checkout's address", { checkout_url: "javascript:0" }, /checkout_url/],
];

for (const [name, fields, expected] of wrong) {
  Deno.test(`a configuration with ${name} is refused`, () => {
    throws(() => parseConfiguration(JSON.stringify({ ...CONFIGURATION, ...fields })), expected);
  });
}

Deno.test("a configuration that is not JSON is refused", () => {
  throws(() => parseConfiguration("{"), /not JSON/);
});
