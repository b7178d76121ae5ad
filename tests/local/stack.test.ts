/**
 * The embedded stack, started and stopped in every way that a developer at a terminal may do it.
 * @module
 */

import { deepStrictEqual, match, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import postgres from "postgres";
import { connectControl } from "../../local/razorpay/control-client.ts";
import type { StackEnvironment } from "../../local/stack/environment.ts";
import { exists, readIfPresent } from "../../local/system/files.ts";
import { lockFolder, tryLockFolder } from "../../local/system/folder-lock.ts";
import type { Process } from "../../local/system/processes.ts";
import {
  end,
  newStackFolder,
  nothingRunsOn,
  processesOn,
  readEnvironment,
  ready,
  runDenoTask,
  runLocal,
  type StackFolder,
} from "../../local/stack/stack-process.ts";
import { until } from "../../local/system/until.ts";

/** These tests read /proc, which only Linux has. */
const ignore = Deno.build.os !== "linux";
const isRoot = Deno.uid() === 0;

/** The settings of this process are those of the tests' backends; stacks must not find them. */
for (const name of Object.keys(Deno.env.toObject())) {
  if (/^(SUPABASE_|RAZORPAY_|BOT_SECRET|DATABASE_URL)/.test(name)) Deno.env.delete(name);
}

Deno.test("a stack says where everything is, serves it, and leaves nothing behind", {
  ignore,
}, async () => {
  await using folder = await newStackFolder();
  const stack = runLocal("start", folder);
  const variables = await ready(stack, folder);

  deepStrictEqual(Object.keys(variables), [
    "SUPABASE_URL",
    "SUPABASE_PUBLISHABLE_KEY",
    "RAZORPAY_API_URL",
    "SUPABASE_SECRET_KEY",
    "DATABASE_URL",
    "BOT_SECRET",
    "RAZORPAY_KEY_ID",
    "RAZORPAY_KEY_SECRET",
    "RAZORPAY_WEBHOOK_SECRET",
    "ERASURE_SECRET",
    "EVENTS_SECRET",
    "FRONTEND_URL",
    "CONSOLE_ORIGIN",
  ]);
  match(variables.EVENTS_SECRET, /^whsec_/);
  match(variables.SUPABASE_PUBLISHABLE_KEY, /^sb_publishable_/);
  match(variables.SUPABASE_SECRET_KEY, /^sb_secret_/);
  match(variables.RAZORPAY_KEY_ID, /^rzp_test_[A-Za-z0-9]{14}$/);
  ok(variables.BOT_SECRET.length >= 32);
  const said = await stack.output();
  match(said, /Access +public: ANYONE WHO KNOWS A PHONE NUMBER CAN READ ITS ACCOUNT/);
  match(
    said,
    /Settings +environment \(API_PORT, DB_PORT, RAZORPAY_PORT, ACCOUNT_PORT, CONSOLE_PORT, LOCAL_DIR\b/,
  );
  match(said, /Operators +a password will do: .* has no second factor/);
  match(said, /Stand-ins +Razorpay .*Data API and Auth/);
  match(said, /[0-9]\.[0-9] s {2}Creating the database/);
  strictEqual(await Deno.readTextFile(join(folder.path, ".gitignore")), "*\n");
  strictEqual(await balance(variables), 3);
  match(await stack.output(), /^\{"time":.*"function":"bot-credits".*"remaining_credits":3/m);
  const razorpay = await fetch(`${variables.RAZORPAY_API_URL}/v1/orders`);
  strictEqual(razorpay.status, 401);
  await razorpay.body?.cancel();
  // Any change is written down.
  await connectControl(variables.RAZORPAY_API_URL).changeSettings({ webhook_timeout_ms: 5_000 });

  const second = runLocal("start", folder);
  strictEqual((await second.status).code, 1);
  const refusal = await second.output();
  ok(refusal.includes(`process ${stack.pid}, ${variables.SUPABASE_URL}`), refusal);
  const reset = runLocal("reset", folder);
  strictEqual((await reset.status).code, 1);
  match(await reset.output(), /already runs/);

  for (const name of ["stack.env", "secrets.json", "razorpay.json", "stack.lock"]) {
    strictEqual(await openTo(join(folder.path, name)), 0, `${name} is nobody else's`);
  }
  strictEqual(await openTo(join(folder.home, "postgres")), 0);
  strictEqual(await openTo(join(folder.home, "postgres", "server.log")), 0);

  await end(stack, "SIGTERM", folder);
  strictEqual((await stack.status).code, 0);
  // A bot that is started first finds the secrets, and its calls can be repeated.
  deepStrictEqual(await readEnvironment(folder), variables);
});

Deno.test("a folder that a stack makes cannot be listed by other accounts", {
  ignore,
}, async () => {
  await using folder = await newStackFolder();
  const made = join(folder.path, "made", "here");
  const lock = await lockFolder(made);
  lock.release();
  // Root's may be passed through, by the account that PostgreSQL runs under.
  strictEqual(await openTo(made), isRoot ? 0o011 : 0);
});

/** What other accounts may do with a file. */
async function openTo(path: string): Promise<number> {
  return ((await Deno.stat(path)).mode ?? 0) & 0o077;
}

Deno.test("data and keys survive kills and a restart, and go with a reset", {
  ignore,
}, async (test) => {
  await using folder = await newStackFolder();
  const first = runLocal("start", folder);
  const before = await ready(first, folder);
  await deduct(before);
  const server = await serverPid(folder);
  ok(server);

  await test.step("a server that is killed is started again under its stack", async () => {
    Deno.kill(server, "SIGKILL");
    await until("another server runs", async () => {
      const another = await serverPid(folder);
      return another !== undefined && another !== server;
    });
    await until("the backend answers again", async () => await balance(before) === 2);
  });

  await test.step("a server that is left running is found and stopped by the next stack", async () => {
    const left = await serverPid(folder);
    ok(left);
    for (const { pid } of await shellsOn(folder)) Deno.kill(pid, "SIGKILL");
    Deno.kill(first.pid, "SIGKILL");
    await first.status;
    await until("the server is alone", async () => (await processesOn(folder)).length === 1);
    strictEqual(await serverPid(folder), left);

    const second = runLocal("start", folder);
    const after = await ready(second, folder);
    notStrictEqual(await serverPid(folder), left);
    strictEqual(after.SUPABASE_SECRET_KEY, before.SUPABASE_SECRET_KEY);
    strictEqual(after.BOT_SECRET, before.BOT_SECRET);
    strictEqual(await balance(after), 2);
    await end(second, "SIGINT", folder);
  });

  await test.step("data of another version are refused, with a way out", async () => {
    const third = runLocal("start", folder);
    const { DATABASE_URL } = await ready(third, folder);
    const sql = postgres(DATABASE_URL, { max: 1, onnotice: () => {} });
    await sql`insert into supabase_migrations.schema_migrations (version) values ('20200101000000')`;
    await sql.end();
    await end(third, "SIGTERM", folder);
    const fourth = runLocal("start", folder);
    strictEqual((await fourth.status).code, 1);
    match(await fourth.output(), /of another version of this project, run "deno task reset"/);
    await nothingRunsOn(folder);
  });

  await test.step("a reset leaves nothing", async () => {
    strictEqual((await runLocal("reset", folder).status).code, 0);
    const left = [...Deno.readDirSync(folder.path)].filter(({ name }) => !name.endsWith(".log"));
    deepStrictEqual(left, []);
    strictEqual(await exists(join(folder.home, "postgres")), false);
  });
});

Deno.test("a stack that is killed takes its server along", { ignore }, async () => {
  await using folder = await newStackFolder();
  const stack = runLocal("start", folder);
  await ready(stack, folder);
  await end(stack, "SIGKILL", folder);
});

Deno.test("a stack ends when the task that started it is killed", { ignore }, async () => {
  await using folder = await newStackFolder();
  const task = runDenoTask("start", folder);
  await ready(task, folder);
  await end(task, "SIGKILL", folder);
  await until("the folder is free", async () => {
    const lock = await tryLockFolder(folder.path);
    lock?.release();
    return lock !== undefined;
  });
});

Deno.test("a data folder that the server's account cannot reach is kept elsewhere, and reset too", {
  ignore: ignore || !isRoot,
}, async () => {
  await using folder = await newStackFolder({ isPrivate: true });
  match(folder.home, /^\/var\/lib\/whatsapp-credits\//);
  const stack = runLocal("start", folder);
  await ready(stack, folder);
  await end(stack, "SIGTERM", folder);
  strictEqual((await runLocal("reset", folder).status).code, 0);
  strictEqual(await exists(join(folder.home, "postgres")), false);
});

Deno.test("a data folder of another account is refused with a way out", {
  ignore: ignore || !isRoot,
}, async () => {
  await using folder = await newStackFolder();
  const data = join(folder.home, "postgres", "data");
  await Deno.mkdir(data, { recursive: true });
  await Deno.chown(data, 12345, 12345);
  const stack = runLocal("start", folder);
  strictEqual((await stack.status).code, 1);
  match(await stack.output(), /belongs to user id 12345.*LOCAL_DIR/);
});

Deno.test("a folder in which another account runs its stacks is left alone", {
  ignore: ignore || !isRoot,
}, async () => {
  await using folder = await newStackFolder();
  const lock = join(folder.path, "stack.lock");
  await Deno.writeTextFile(lock, "");
  await Deno.chown(lock, 12345, 12345);
  const stack = runLocal("start", folder);
  strictEqual((await stack.status).code, 1);
  match(await stack.output(), /belongs to another account.*LOCAL_DIR/);
  strictEqual(await exists(join(folder.path, "secrets.json")), false);
});

Deno.test("lines for people can be had without a terminal, and the mode is the one that is set", {
  ignore,
}, async () => {
  await using folder = await newStackFolder();
  const stack = runLocal("start", folder, {
    LOG_FORMAT: "pretty",
    FRONTEND_ACCESS: "phone-proof",
  });
  const variables = await ready(stack, folder);
  await deduct(variables);
  await end(stack, "SIGTERM", folder);
  const said = await stack.output();
  match(said, /Access +phone-proof: a page must prove/);
  match(said, /^[0-9:]{8} bot-deduct +200 +[0-9]+ ms {2}2 credits left$/m);
});

Deno.test("an option that cannot work is refused before anything starts", { ignore }, async () => {
  await using folder = await newStackFolder();
  const stack = runLocal("start", folder, { FRONTEND_ACCESS: "phoneproof" });
  strictEqual((await stack.status).code, 1);
  match(
    await stack.output(),
    /^error: FRONTEND_ACCESS must be phone-proof or public, not "phoneproof"\.$/m,
  );
  strictEqual(await exists(join(folder.path, "secrets.json")), false);
});

for (const variable of ["API_PORT", "DB_PORT", "RAZORPAY_PORT", "ACCOUNT_PORT", "CONSOLE_PORT"]) {
  Deno.test(`a port that is taken is named together with ${variable}`, { ignore }, async () => {
    await using folder = await newStackFolder();
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const stack = runLocal("start", folder, { [variable]: String(port) });
    strictEqual((await stack.status).code, 1);
    match(await stack.output(), new RegExp(`Port ${port} is taken .*${variable}`));
    await nothingRunsOn(folder);
  });
}

Deno.test("a given database is used in place of the embedded one", { ignore }, async () => {
  await using folder = await newStackFolder();
  await using other = await newStackFolder();
  const owner = runLocal("start", folder);
  const given = await ready(owner, folder);
  await deduct(given);

  const stack = runLocal("start", other, { DATABASE_URL: given.DATABASE_URL });
  const variables = await ready(stack, other);
  strictEqual(variables.DATABASE_URL, given.DATABASE_URL);
  strictEqual(await balance(variables), 2);
  strictEqual(await exists(join(other.home, "postgres")), false);
  await end(stack, "SIGTERM", other);
  await end(owner, "SIGTERM", folder);
});

async function balance(variables: StackEnvironment): Promise<unknown> {
  const response = await fetch(
    `${variables.SUPABASE_URL}/functions/v1/bot-credits/+919876543210`,
    { headers: { "x-bot-secret": variables.BOT_SECRET } },
  );
  return (await response.json()).data?.remaining_credits;
}

async function deduct(variables: StackEnvironment): Promise<void> {
  const response = await fetch(`${variables.SUPABASE_URL}/functions/v1/bot-deduct`, {
    method: "POST",
    headers: { "x-bot-secret": variables.BOT_SECRET, "content-type": "application/json" },
    body: JSON.stringify({ phone_number: "+919876543210" }),
  });
  strictEqual((await response.json()).status, "SUCCESS");
}

/** The shells above the server: its supervisor and the watcher of the pipe. */
async function shellsOn(folder: StackFolder): Promise<Process[]> {
  return (await processesOn(folder)).filter(({ command }) => command.startsWith("/bin/sh"));
}

/** Returns undefined while no server runs on the data. */
async function serverPid(folder: StackFolder): Promise<number | undefined> {
  const pidFile = await readIfPresent(join(folder.home, "postgres", "data", "postmaster.pid"));
  return pidFile ? Number(pidFile.split("\n")[0]) : undefined;
}
