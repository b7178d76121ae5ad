/**
 * Read-only calls write and lock nothing, and work while others write.
 * @module
 */

import { rejects, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { one } from "../support/lists.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

const known = newPhoneNumber();
const { id: knownId } = dataOf(await call("GET", `users/${known}`));

/** The SQL behind each read-only call, about a user who exists. */
const READS = {
  "bot-credits": `select * from public.get_user('${known}')`,
  "users": `select * from public.get_user('${known}', with_pending_orders => true)`,
  "credit-history": `select * from public.list_credit_transactions('${knownId}', 50)`,
  "find-customer": `select * from public.find_customers('${known}', '{${known}}')`,
  "export-statement": `select * from public.export_statement('${knownId}', 100)`,
  "get-customer": `select * from public.get_customer('${knownId}')`,
  "list-entries": `select * from public.list_entries('${knownId}', 500)`,
  "list-actions-taken": `select * from public.list_actions_taken(50, '${knownId}', 'Asha')`,
  "sales-report": "select * from public.sales_report('2026-11-01', '2026-12-01')",
  "the operator of a session": `select * from public.find_operator('${knownId}', '${knownId}')`,
  "list-attention": "select * from public.list_attention()",
  "check-books": "select * from public.list_violations()",
  "the check of the books": "select * from public.check_invariants()",
  "the check of what is new": "select * from public.check_invariants(since => '-infinity')",
  "the check of a user": `select * from public.check_invariants(user_id => '${knownId}')`,
};

for (const [name, statement] of Object.entries(READS)) {
  Deno.test(`${name} works where writing is forbidden`, async () => {
    await backend.sql.begin("read only", (sql) => sql.unsafe(statement));
  });

  Deno.test(`${name} takes no lock that a writer would notice, and no transaction id`, async () => {
    await backend.sql.begin(async (sql) => {
      await sql.unsafe(statement);
      const locks = await sql`
        select relation::regclass::text, mode from pg_catalog.pg_locks
        where pid = pg_backend_pid() and locktype in ('relation', 'tuple', 'transactionid')
          and mode <> 'AccessShareLock'`;
      strictEqual(locks.length, 0);
      const { id } = one(await sql`select pg_current_xact_id_if_assigned()::text as id`);
      strictEqual(id, null);
    });
  });
}

Deno.test("a first contact does write: where writing is forbidden it is refused", async () => {
  const phone = newPhoneNumber();
  const reading = backend.sql.begin("read only", (sql) => {
    return sql`select * from public.get_user(${phone})`;
  });
  await rejects(reading, { code: "25006" });
});

Deno.test("balance, profile and history are answered while every table is locked for writing", async () => {
  await backend.sql.begin(async (sql) => {
    await sql`
      lock table public.users, public.credit_transactions, public.payment_orders
      in exclusive mode`;
    strictEqual(dataOf(await call("GET", `bot-credits/${known}`)).remaining_credits, 3);
    strictEqual(dataOf(await call("GET", `users/${known}`)).credits, 3);
    strictEqual(dataOf(await call("GET", `credit-history/${knownId}`)).total, 1);
  });
});
