/**
 * `deno task operator`, run in a process of its own against a backend on ports of its own, with nobody
 * at the keyboard.
 * @module
 */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { formatEnvFile } from "../../local/stack/environment.ts";
import { REPOSITORY } from "../../local/system/settings.ts";
import { startBackend } from "../support/backend.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { one } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, payForPackage } from "../support/purchases.ts";

const backend = await startBackend();
const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY } = backend.environment;
const { control } = backend.razorpay;
const folder = await Deno.makeTempDir();
await Deno.writeTextFile(join(folder, "stack.env"), formatEnvFile(backend.environment));
Deno.test.afterAll(async () => {
  await Deno.remove(folder, { recursive: true });
  await backend.stop();
});

const by = ["--operator", "Asha", "--reason", "Customer paid, no credits"];

/** Only the folder tells the task which backend is meant, unless `variables` do. */
async function operator(args: string[], variables: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "local/tasks/operator.ts", ...args],
    cwd: REPOSITORY,
    clearEnv: true,
    env: { LOCAL_DIR: folder, PATH: Deno.env.get("PATH") ?? "", ...variables },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), errors: decoder.decode(stderr) };
}

/** What a command prints that succeeds. */
async function printed(...args: string[]) {
  const { code, stdout, errors } = await operator(args);
  strictEqual(code, 0, errors);
  ok(errors.includes(SUPABASE_URL), "it names the backend");
  return JSON.parse(stdout);
}

Deno.test("an operator finds a payment that was not booked, and has it settled", async () => {
  const { phone, checkout: { razorpay_order_id } } = await payForPackage(
    control,
    newPhoneNumber(),
    "starter",
  );
  const { customers, unclaimed_orders, orders } = await printed("find", phone);
  deepStrictEqual(customers, []);
  strictEqual(unclaimed_orders[0].razorpay_order_id, razorpay_order_id);
  strictEqual(orders[0].order.razorpay_order_id, razorpay_order_id);

  const { data } = await printed("settle", razorpay_order_id, ...by);
  deepStrictEqual(data.outcomes, ["settled"]);
  strictEqual(dataOf(await call("GET", `bot-credits/${phone}`)).remaining_credits, 23);
  const [customer] = (await printed("find", phone.slice(3))).customers;
  strictEqual(customer.phone_number, phone);
  const again = await printed("settle", razorpay_order_id, ...by);
  deepStrictEqual(again.data.outcomes, ["replayed"]);
});

Deno.test("settle requires an operator and a reason", async () => {
  const { code, errors } = await operator(["settle", "order_1", "--operator", "Asha"]);
  strictEqual(code, 1);
  match(errors, /--reason <text>/);
});

Deno.test("money that bought nothing is listed", async () => {
  const { checkout: { razorpay_order_id } } = await buyCredits(
    control,
    newPhoneNumber(),
    "starter",
  );
  const second = await control.payOrder(razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  await printed("settle", razorpay_order_id, ...by);
  const found = (await printed("attention"))
    .filter(({ subject }: { subject: string }) => subject === second.razorpay_payment_id);
  deepStrictEqual(found.map(({ kind }: { kind: string }) => kind), ["flagged payment"]);
});

Deno.test("any function for operators can be called, with its fields", async () => {
  const phone = newPhoneNumber();
  await call("GET", `bot-credits/${phone}`);
  const { data } = await printed("call", "find-customer", `query=${phone.slice(1)}`);
  const { user_id } = data.customers[0];
  const give = [`user_id=${user_id}`, "credits=5", "operator=Asha", "reason=a=b", "reference_id=1"];
  deepStrictEqual((await printed("call", "adjust-credits", ...give)).data, {
    user_id,
    credits: 8,
    debt_credits: 0,
  });
  const { stdout } = await operator([
    "call",
    "export-statement",
    `user_id=${user_id}`,
    "format=csv",
  ]);
  match(stdout, /"adjustment","1",8\r\n/);

  const mistakes: [string[], RegExp][] = [
    [["call", "bot-deduct"], /no function bot-deduct for operators/],
    [["call", "adjust-credits", "credit=5"], /which has the fields user_id, credits,/],
    [["call", "adjust-credits", "credits"], /credits is no <field>=<value>/],
    [["call", "adjust-credits", "credits=5"], /returned 400: .*MISSING_FIELD/],
    [["call"], /Usage/],
  ];
  for (const [args, message] of mistakes) {
    const { code, errors } = await operator(args);
    strictEqual(code, 1);
    match(errors, message);
  }
});

Deno.test("the check of the books fails where they are not right", async () => {
  deepStrictEqual(await printed("check"), []);
  const phone = newPhoneNumber();
  await call("GET", `bot-credits/${phone}`);
  const shift = (credits: number) =>
    backend
      .sql`update public.users set credits = credits + ${credits} where phone_number = ${phone}`;
  await shift(5);
  try {
    const { code, stdout, errors } = await operator(["check"]);
    strictEqual(code, 1);
    ok(JSON.parse(stdout).length > 0);
    match(errors, /The books are not right/);

    const { id } = one(
      await backend.sql`select id from public.users where phone_number = ${phone}`,
    );
    const ofUser = await operator(["check", "--user", id]);
    deepStrictEqual([ofUser.code, ofUser.stdout], [1, stdout]);
    strictEqual((await operator(["check", "--since", "2020-01-01"])).code, 1);
    deepStrictEqual(await printed("check", "--since", "2100-01-01"), []);
  } finally {
    await shift(-5);
  }
});

Deno.test("an operator is added with a password that signs in, changed, disabled and listed", async () => {
  const email = `${crypto.randomUUID()}@example.com`;
  const add = ["add", email, "--name", "Asha", "--role", "support"];
  const [added] = await printed(...add);
  strictEqual(added.outcome, "added");
  const signIn = () =>
    fetch(`${SUPABASE_URL}/auth/v1/token?grant_type=password`, {
      method: "POST",
      headers: { apikey: SUPABASE_PUBLISHABLE_KEY, "content-type": "application/json" },
      body: JSON.stringify({ email, password: added.password }),
    });
  const { access_token } = await (await signIn()).json();
  const whoIs = () =>
    call("GET", "get-operator", { headers: { authorization: `Bearer ${access_token}` } });
  const { name, role } = dataOf(await whoIs());
  deepStrictEqual([name, role], ["Asha", "support"]);

  const [changed] = await printed("add", email, "--name", "Asha R.", "--role", "owner");
  deepStrictEqual(changed, { outcome: "changed", email, name: "Asha R.", role: "owner" });
  strictEqual(dataOf(await whoIs()).role, "owner");

  await printed("disable", email.toUpperCase());
  expectError(await whoIs(), { httpStatus: 403, code: "NOT_AN_OPERATOR" });
  const listed = (await printed("list")).find((row: { email: string }) => row.email === email);
  deepStrictEqual([listed.name, listed.role], ["Asha R.", "owner"]);
  ok(listed.disabled_at);
  await printed(...add);
  strictEqual(dataOf(await whoIs()).role, "support");
  match((await operator(["disable", "nobody@example.com"])).errors, /is no operator/);
});

Deno.test("a user of Auth who is there already becomes an operator only if that is meant", async () => {
  const email = `${crypto.randomUUID()}@example.com`;
  const add = ["add", email, "--name", "Asha", "--role", "owner"];
  match((await operator([...add, "--existing"])).errors, /Auth has no user/);
  const signUp = await fetch(`${SUPABASE_URL}/auth/v1/signup`, {
    method: "POST",
    headers: { apikey: SUPABASE_PUBLISHABLE_KEY, "content-type": "application/json" },
    body: JSON.stringify({ email, password: "the password of whoever came first" }),
  });
  await signUp.body?.cancel();
  const { code, errors } = await operator(add);
  strictEqual(code, 1);
  match(errors, /whoever has its password/);
  const isOperator = () =>
    backend.sql`select from public.operators where email = ${email}`.then(({ length }) => length);
  strictEqual(await isOperator(), 0);
  const [added] = await printed(...add, "--existing");
  deepStrictEqual(added, { outcome: "added", email, name: "Asha", role: "owner" });
  strictEqual(await isOperator(), 1);
});

Deno.test("a statement changes something only with --write", async () => {
  const price = "select price::int from packages where id = 'popular'";
  const raise = "update packages set price = price + 50 where id = 'popular'";
  const [{ price: before }] = await printed("sql", price);
  const { code, errors } = await operator(["sql", raise]);
  strictEqual(code, 1);
  match(errors, /read-only transaction/);
  deepStrictEqual(await printed("sql", price), [{ price: before }]);
  await printed("sql", "--write", raise);
  deepStrictEqual(await printed("sql", price), [{ price: before + 50 }]);
});

Deno.test("two variables name another project, which is not reached by SQL", async () => {
  const elsewhere = { SUPABASE_URL, SUPABASE_SECRET_KEY, LOCAL_DIR: "/nowhere" };
  strictEqual((await operator(["check"], elsewhere)).code, 0);
  match((await operator(["sql", "select 1"], elsewhere)).errors, /SQL editor/);
  const wrong = await operator(["check"], { ...elsewhere, SUPABASE_SECRET_KEY: "wrong" });
  strictEqual(wrong.code, 1);
  match(wrong.errors, /401/);
});

Deno.test("an unknown command, option or argument prints the usage", async () => {
  const mistakes = [
    [],
    ["fix"],
    ["find"],
    ["check", "now"],
    ["find", "a", "b"],
    [
      "check",
      "--all",
    ],
    ["add", "a@example.com"],
    ["add", "a@example.com", "--name", "A", "--role", "admin"],
    ["disable"],
    [
      "attention",
      "--since",
      "2020-01-01",
    ],
  ];
  for (const args of mistakes) {
    const { code, stdout, errors } = await operator(args);
    strictEqual(`${code} ${stdout}`, "1 ", args.join(" "));
    match(errors, /Usage:/);
  }
});
