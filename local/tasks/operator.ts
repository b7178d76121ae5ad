/**
 * `deno task operator`: an operator's questions to a backend, in a terminal or a script. It never
 * prompts, and only `settle`, `call`, `add`, `disable` and `sql --write` change anything.
 *
 * It talks to the stack that runs on this machine, or to the project that SUPABASE_URL and
 * SUPABASE_SECRET_KEY name in the environment. No secret is an argument, where the list of processes
 * would show it.
 * @module
 */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { parseArgs, parseEnv } from "node:util";
import postgres from "postgres";
import { z } from "zod";
import { OPERATIONS } from "shared/contract/operations.ts";
import { readIfPresent } from "../system/files.ts";
import { isLoopbackUrl } from "../system/loopback.ts";
import { responds } from "../system/ports.ts";
import { readSettings } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";

const USAGE = `Usage:
  deno task operator attention                what needs a look
  deno task operator check [--since <time> | --user <id>]
                                              what is wrong with the books, or with a part of them:
                                              what was written since, one user; fails if anything is
  deno task operator find <what>              everything about an order, a payment or a customer
  deno task operator settle <what> --operator <name> --reason <text>
                                              have one order looked up at Razorpay now
  deno task operator call <function> [<field>=<value> ...]
                                              any function for operators, with its fields
  deno task operator add <email> --name <name> --role owner|support [--existing]
                                              who may sign in to the console; the same again changes it
  deno task operator disable <email>          keeps an operator from doing anything, from now on
  deno task operator list                     all operators
  deno task operator sql [--write] <sql>      a statement, read-only unless told otherwise

<what>: an id of Razorpay's or ours, a bot's reference, a phone number in E.164, a WhatsApp user id.
"find" also takes a phone number in any spelling, and a WhatsApp message id.`;

/** How many arguments each command takes. `call` takes any number of fields besides. */
const SUBJECTS: Record<string, number> = {
  attention: 0,
  check: 0,
  find: 1,
  settle: 1,
  call: 1,
  add: 1,
  disable: 1,
  list: 0,
  sql: 1,
};

/** The backend that the task talks to. */
interface Backend {
  readonly url: string;
  readonly secretKey: string;
  /** Of the stack on this machine. That of a hosted project is not used. */
  readonly databaseUrl?: string | undefined;
}

async function findBackend(): Promise<Backend> {
  const { SUPABASE_URL, SUPABASE_SECRET_KEY, DATABASE_URL } = Deno.env.toObject();
  if (SUPABASE_URL && SUPABASE_SECRET_KEY) {
    return {
      url: SUPABASE_URL,
      secretKey: SUPABASE_SECRET_KEY,
      databaseUrl: isLoopbackUrl(SUPABASE_URL) && DATABASE_URL ? DATABASE_URL : undefined,
    };
  }
  const stack = parseEnv(await readIfPresent(join(readSettings().localDir, "stack.env")) ?? "");
  // The file stays when the stack stops.
  if (!stack.SUPABASE_URL || !await responds(stack.SUPABASE_URL)) {
    throw new TaskError(
      'No stack is running. Run "deno task start" first, or set SUPABASE_URL and ' +
        "SUPABASE_SECRET_KEY to those of a hosted project.",
    );
  }
  return {
    url: stack.SUPABASE_URL,
    secretKey: stack.SUPABASE_SECRET_KEY ?? "",
    databaseUrl: stack.DATABASE_URL || undefined,
  };
}

const rowList = z.array(z.record(z.string(), z.unknown()));
type Rows = z.infer<typeof rowList>;

/** Calls a SQL function over the Data API. */
async function callSql(backend: Backend, name: string, args: object): Promise<Rows> {
  return rowList.parse(await post(backend, `/rest/v1/rpc/${name}`, args));
}

async function post(backend: Backend, path: string, body: object): Promise<unknown> {
  return JSON.parse(await request(backend, "POST", path, JSON.stringify(body)));
}

async function request(
  backend: Backend,
  method: string,
  path: string,
  body: string | null = null,
): Promise<string> {
  const { isRefused, status, text } = await answerTo(backend, method, path, body);
  if (isRefused) throw new TaskError(`${backend.url} returned ${status}: ${text}`);
  return text;
}

async function answerTo(
  { url, secretKey }: Backend,
  method: string,
  path: string,
  body: string | null,
): Promise<{ isRefused: boolean; status: number; text: string }> {
  try {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { apikey: secretKey, "content-type": "application/json" },
      body,
    });
    return { isRefused: !response.ok, status: response.status, text: await response.text() };
  } catch {
    throw new TaskError(`${url} cannot be reached.`);
  }
}

/** Who is to be an operator. */
interface NewOperator {
  readonly email: string;
  readonly name: string;
  readonly role: string;
  /** Whether a user of Auth who is there already may become one. */
  readonly isExisting: boolean;
}

/** Makes somebody an operator, with a user of Auth and a password if there is none yet. */
async function addOperator(
  backend: Backend,
  { isExisting, ...operator }: NewOperator,
): Promise<Rows> {
  const known = await callSql(backend, "list_operators", {});
  const isOperator = known.some(({ email }) => email === operator.email.toLowerCase());
  const password = isExisting || isOperator ? undefined : await makeUser(backend, operator.email);
  const [{ outcome } = {}] = await callSql(backend, "add_operator", operator);
  switch (outcome) {
    case "user_not_found":
      throw new TaskError(`Auth has no user ${operator.email}.`);
    case "email_not_confirmed":
      throw new TaskError(
        `Whoever signed up as ${operator.email} has not confirmed the address, and may be somebody else.`,
      );
  }
  return [{ outcome, ...operator, ...(password && { password }) }];
}

/** Makes a user of Auth, and returns the password, which is kept nowhere. */
async function makeUser(backend: Backend, email: string): Promise<string> {
  const password = randomBytes(18).toString("base64url");
  const body = JSON.stringify({ email, password, email_confirm: true });
  const { isRefused, status, text } = await answerTo(
    backend,
    "POST",
    "/auth/v1/admin/users",
    body,
  );
  if (isRefused && text.includes("email_exists")) {
    throw new TaskError(
      `Auth has a user ${email} already. If you know who made it, add --existing: whoever has its ` +
        "password will be the operator.",
    );
  }
  if (isRefused) throw new TaskError(`${backend.url} returned ${status}: ${text}`);
  return password;
}

/** Calls a function for operators, and returns its response: JSON, or the file that it asks for. */
async function callFunction(
  backend: Backend,
  name: string,
  assignments: readonly string[],
): Promise<string> {
  const operation = OPERATIONS.find((one) => one.name === name && one.caller === "operator");
  if (operation === undefined) {
    const names = OPERATIONS.filter(({ caller }) => caller === "operator").map(({ name }) => name);
    throw new TaskError(
      `There is no function ${name} for operators. There are ${names.join(", ")}.`,
    );
  }
  const fields = Object.fromEntries(assignments.map((assignment) => {
    const [field = "", ...value] = assignment.split("=");
    const schema = operation.input.shape[field];
    if (schema === undefined || value.length === 0) {
      throw new TaskError(
        `${assignment} is no <field>=<value> of ${name}, which has the fields ` +
          `${Object.keys(operation.input.shape).join(", ")}.`,
      );
    }
    return [field, valueOf(value.join("="), schema)];
  }));
  const path = `/functions/v1/${name}`;
  if (operation.method === "POST") {
    return await request(backend, "POST", path, JSON.stringify(fields));
  }
  return await request(backend, "GET", `${path}?${new URLSearchParams(fields)}`);
}

/** A value as the field takes it: text, or else a number, true or false. */
function valueOf(text: string, schema: z.ZodType) {
  if (schema.safeParse(text).success) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function runSql({ url, databaseUrl }: Backend, text: string, write: boolean): Promise<Rows> {
  if (databaseUrl === undefined) {
    throw new TaskError(
      `The database of ${url} is not known here. Use the SQL editor of the project's dashboard.`,
    );
  }
  const sql = postgres(databaseUrl, {
    max: 1,
    onnotice: () => {},
    connection: { default_transaction_read_only: !write },
  });
  try {
    // Several statements return a list of rows each.
    return rowList.parse((await sql.unsafe(text)).flat());
  } catch (error) {
    throw error instanceof postgres.PostgresError ? new TaskError(error.message) : error;
  } finally {
    await sql.end();
  }
}

/** A table for people, with these columns or all, JSON for programs. */
function show(rows: Rows, columns?: string[]): void {
  if (!Deno.stdout.isTerminal()) console.log(JSON.stringify(rows, null, 2));
  else if (rows.length === 0) console.log("Nothing.");
  else console.table(rows, columns);
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      args: Deno.args,
      allowPositionals: true,
      options: {
        existing: { type: "boolean", default: false },
        name: { type: "string" },
        operator: { type: "string" },
        reason: { type: "string" },
        role: { type: "string" },
        since: { type: "string" },
        user: { type: "string" },
        write: { type: "boolean", default: false },
      },
    });
    const [command = "", ...subjects] = positionals;
    const [subject = "", ...fields] = subjects;
    const count = command === "call" ? subjects.length - fields.length : subjects.length;
    if (count === SUBJECTS[command]) return { ...values, command, subject, fields };
  } catch {
    // An option that does not exist.
  }
  throw new TaskError(USAGE);
}

await runTask(async () => {
  const { command, subject, fields, name, role, existing, operator, reason, since, user, write } =
    readArguments();
  if (command === "settle" && !(operator && reason)) throw new TaskError(USAGE);
  if (command === "add" && !(name && (role === "owner" || role === "support"))) {
    throw new TaskError(USAGE);
  }
  if (command !== "check" && (since ?? user) !== undefined) throw new TaskError(USAGE);
  const backend = await findBackend();
  console.error(`On ${backend.url}:`);
  switch (command) {
    case "attention":
      return show(
        await callSql(backend, "list_attention", {}),
        ["kind", "subject", "since", "detail"],
      );
    case "check": {
      const violations = await callSql(backend, "check_invariants", { since, user_id: user });
      show(violations);
      if (violations.length > 0) throw new TaskError("The books are not right.");
      return;
    }
    case "find": {
      const found = JSON.parse(await callFunction(backend, "find-customer", [`query=${subject}`]));
      const orders = await callSql(backend, "find_payments", { search: subject });
      const all = { ...found.data, orders: orders.map(({ life }) => life) };
      return console.log(JSON.stringify(all, null, 2));
    }
    case "settle": {
      const body = { order: subject, operator, reason };
      const answer = await post(backend, "/functions/v1/settle-order", body);
      return console.log(JSON.stringify(answer, null, 2));
    }
    case "call":
      return console.log(await callFunction(backend, subject, fields));
    case "add": {
      const added = { email: subject, name: name ?? "", role: role ?? "", isExisting: existing };
      return show(await addOperator(backend, added));
    }
    case "disable": {
      const rows = await callSql(backend, "disable_operator", { email: subject });
      if (rows[0]?.outcome !== "disabled") throw new TaskError(`${subject} is no operator.`);
      return show(rows);
    }
    case "list":
      return show(await callSql(backend, "list_operators", {}));
    case "sql":
      return show(await runSql(backend, subject, write));
  }
});
