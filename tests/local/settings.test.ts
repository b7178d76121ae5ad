/**
 * How the embedded stack reads its settings, and how it rejects those that cannot work.
 * @module
 */

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { join } from "node:path";
import { formatEnvFile, functionEnvironment } from "../../local/stack/environment.ts";
import { checkOptions } from "../../local/stack/options.ts";
import { TaskError } from "../../local/system/task.ts";
import { parseSettings, REPOSITORY } from "../../local/system/settings.ts";
import { withEnvironment } from "../support/environment.ts";

Deno.test("without settings everything is embedded, on the documented ports", () => {
  const settings = parseSettings({});
  strictEqual(settings.apiPort, 54321);
  strictEqual(settings.dbPort, 54322);
  strictEqual(settings.razorpayPort, 54323);
  strictEqual(settings.localDir, join(REPOSITORY, ".local"));
  strictEqual(settings.databaseUrl, undefined);
  strictEqual(settings.supabase, undefined);
  strictEqual(settings.razorpay, undefined);
});

Deno.test("an empty setting counts as unset", () => {
  deepStrictEqual(
    parseSettings({ API_PORT: "", DATABASE_URL: "", LOCAL_DIR: "" }),
    parseSettings({}),
  );
});

Deno.test("port 0 takes any free one", () => {
  strictEqual(parseSettings({ API_PORT: "0" }).apiPort, 0);
});

Deno.test("given parts replace the embedded ones", () => {
  const settings = parseSettings({
    DATABASE_URL: "postgresql://someone@db.example.com/postgres",
    SUPABASE_URL: "https://project.example.com/",
    SUPABASE_PUBLISHABLE_KEY: "publishable",
    SUPABASE_SECRET_KEY: "secret",
    RAZORPAY_KEY_ID: "rzp_test_key",
    RAZORPAY_KEY_SECRET: "key secret",
  });
  strictEqual(settings.databaseUrl, "postgresql://someone@db.example.com/postgres");
  deepStrictEqual(settings.supabase, {
    url: "https://project.example.com",
    publishableKey: "publishable",
    secretKey: "secret",
  });
  deepStrictEqual(settings.razorpay, {
    keyId: "rzp_test_key",
    keySecret: "key secret",
    apiUrl: "https://api.razorpay.com",
  });
});

const IMPOSSIBLE: [string, Record<string, string>, RegExp][] = [
  ["a port in words", { API_PORT: "http" }, /API_PORT must be a port .* not "http"/],
  ["a port too high", { DB_PORT: "65536" }, /DB_PORT must be a port/],
  ["a negative port", { RAZORPAY_PORT: "-1" }, /RAZORPAY_PORT must be a port/],
  ["a database that is no URL", { DATABASE_URL: "localhost" }, /DATABASE_URL must be a URL/],
  ["a database of another kind", { DATABASE_URL: "mysql://db" }, /starts with postgres:/],
  ["a project without its keys", { SUPABASE_URL: "https://a.example.com" }, /SUPABASE_SECRET_KEY/],
  ["half a Razorpay key", { RAZORPAY_KEY_ID: "rzp_test_key" }, /belong together/],
  ["only Razorpay's address", { RAZORPAY_API_URL: "https://api.razorpay.com" }, /needs both/],
  ["a bot secret that lets nobody in", { BOT_SECRET: "x".repeat(31) }, /at least 32 characters/],
  ["a bot secret that can be guessed", { BOT_SECRET: "x".repeat(32) }, /8 different ones/],
  ["a secret of events that signs nothing", { EVENTS_SECRET: "whsec_c2VjcmV0" }, /whsec_ and 24/],
  [
    "a log in another format",
    { LOG_FORMAT: "xml" },
    /LOG_FORMAT must be json or pretty, not "xml"/,
  ],
  [
    "a live key",
    { RAZORPAY_KEY_ID: "rzp_live_key", RAZORPAY_KEY_SECRET: "key secret" },
    /must be a test key/,
  ],
];

for (const [what, variables, message] of IMPOSSIBLE) {
  Deno.test(`${what} is refused with a sentence that names the setting`, () => {
    throws(() => parseSettings(variables), (error: unknown) => {
      return error instanceof TaskError && message.test(error.message);
    });
  });
}

const WRONG_OPTIONS: [string, string, RegExp][] = [
  ["FRONTEND_ACCESS", "phoneproof", /must be phone-proof or public, not "phoneproof"/],
  ["ALLOWED_ORIGINS", "https://one.example/", /must be origins such as/],
  ["ALLOWED_ORIGINS", "https://one.example two.example", /must be origins such as/],
  ["CONSOLE_ORIGIN", "https://console.example/", /must be one origin such as/],
  ["CONSOLE_ORIGIN", "https://one.example,https://two.example", /must be one origin such as/],
  ["CONSOLE_ORIGIN", "*", /must be one origin such as/],
  ["CONSOLE_SECOND_FACTOR", "none", /must be required or off, not "none"/],
  ["FRONTEND_URL", "localhost:3000", /must be a URL such as/],
  ["EVENTS_URL", "http://bot.example", /must be up to three addresses/],
  ["EVENTS_URL", "https://a:hidden@bot.example", /without user name, .* not "https:\/\/\.\.\.@bot/],
  ["EVENTS_URL", "https://bot.example/#hidden", /password or fragment/],
  ["DEFAULT_COUNTRY", "India", /must be an ISO 3166-1 alpha-2 country code/],
];

for (const [name, value, message] of WRONG_OPTIONS) {
  Deno.test(`${name}=${value} is refused when a stack starts`, async () => {
    await withEnvironment({ [name]: value }, () => {
      throws(() => checkOptions({ [name]: value }), (error: unknown) => {
        return error instanceof TaskError && error.message.startsWith(name) &&
          message.test(error.message);
      });
      return Promise.resolve();
    });
  });
}

Deno.test("options that can work are accepted, and those that are not set are not asked for", async () => {
  const options = {
    FRONTEND_ACCESS: "phone-proof",
    ALLOWED_ORIGINS: "https://one.example, http://127.0.0.1:3000",
    CONSOLE_ORIGIN: "http://127.0.0.1:54325",
    CONSOLE_SECOND_FACTOR: "required",
    FRONTEND_URL: "https://one.example/account",
    DEFAULT_COUNTRY: "de",
    EVENTS_URL: "https://bot.example/events http://127.0.0.1:3000",
  };
  await withEnvironment(options, () => Promise.resolve(checkOptions(options)));
  checkOptions({});
});

Deno.test("a refused database URL is not repeated, as it carries a password", () => {
  throws(() => parseSettings({ DATABASE_URL: "http://someone:hidden@db.example.com" }), (error) => {
    return error instanceof Error && !error.message.includes("hidden");
  });
});

Deno.test("a shell and what it starts read from stack.env what was written, whatever it holds", async () => {
  const value = `it's "$HOME" \\ and a \`command\``;
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, formatEnvFile({ VALUE: value }));
    const shell = new Deno.Command("/bin/sh", {
      args: ["-c", '. "$1"; sh -c \'printf %s "$VALUE"\'', "sh", file],
    });
    strictEqual(new TextDecoder().decode((await shell.output()).stdout), value);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("a given project, whose accounts may be those of real people, is not open", () => {
  const environment = {
    SUPABASE_URL: "https://abcdefghijklmnopqrst.supabase.co",
    SUPABASE_PUBLISHABLE_KEY: "publishable",
    SUPABASE_SECRET_KEY: "secret",
    DATABASE_URL: "",
    BOT_SECRET: "bot",
    RAZORPAY_KEY_ID: "id",
    RAZORPAY_KEY_SECRET: "key",
    RAZORPAY_WEBHOOK_SECRET: "webhook",
    ERASURE_SECRET: "erasure",
    RAZORPAY_API_URL: "http://127.0.0.1:2",
    EVENTS_SECRET: "events",
    FRONTEND_URL: "http://127.0.0.1:54324/",
    CONSOLE_ORIGIN: "http://127.0.0.1:54325",
  };
  const { FRONTEND_ACCESS, ALLOWED_ORIGINS, CONSOLE_SECOND_FACTOR, EMBEDDED_STACK } =
    functionEnvironment(environment, { isGiven: true });
  deepStrictEqual(
    [FRONTEND_ACCESS, ALLOWED_ORIGINS, CONSOLE_SECOND_FACTOR, EMBEDDED_STACK],
    ["phone-proof", "http://127.0.0.1:54324", "required", ""],
  );
});

Deno.test("functions find the variables of the hosted platform", () => {
  const variables = functionEnvironment({
    SUPABASE_URL: "http://127.0.0.1:1",
    SUPABASE_PUBLISHABLE_KEY: "publishable",
    SUPABASE_SECRET_KEY: "secret",
    DATABASE_URL: "postgresql://db",
    BOT_SECRET: "bot",
    RAZORPAY_KEY_ID: "id",
    RAZORPAY_KEY_SECRET: "key",
    RAZORPAY_WEBHOOK_SECRET: "webhook",
    ERASURE_SECRET: "erasure",
    RAZORPAY_API_URL: "http://127.0.0.1:2",
    EVENTS_SECRET: "events",
    FRONTEND_URL: "http://127.0.0.1:54324/",
    CONSOLE_ORIGIN: "http://127.0.0.1:54325",
  }, { sessionKeys: [{ kty: "EC", alg: "ES256" }] });
  deepStrictEqual(variables, {
    SUPABASE_URL: "http://127.0.0.1:1",
    SUPABASE_DB_URL: "postgresql://db",
    SUPABASE_PUBLISHABLE_KEYS: '{"default":"publishable"}',
    SUPABASE_SECRET_KEYS: '{"default":"secret"}',
    SUPABASE_JWKS: '{"keys":[{"kty":"EC","alg":"ES256"}]}',
    EMBEDDED_STACK: "1",
    FRONTEND_ACCESS: "public",
    ALLOWED_ORIGINS: "*",
    CONSOLE_SECOND_FACTOR: "off",
    FRONTEND_URL: "http://127.0.0.1:54324/",
    BOT_SECRET: "bot",
    RAZORPAY_KEY_ID: "id",
    RAZORPAY_KEY_SECRET: "key",
    RAZORPAY_WEBHOOK_SECRET: "webhook",
    ERASURE_SECRET: "erasure",
    RAZORPAY_API_URL: "http://127.0.0.1:2",
    EVENTS_SECRET: "events",
    CONSOLE_ORIGIN: "http://127.0.0.1:54325",
  });
});
