/**
 * The ledger in hash partitions by user, as docs/scale.md describes it: every function works on it as on
 * one table, and a user's calls reach one partition.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { FIRST_NATIONAL_NUMBER } from "../../local/bench/users.ts";
import { fillChargedBooks } from "../../local/bench/charged-books.ts";
import { partitionLedger } from "../../local/bench/partitioned-schema.ts";
import { openPlanReader } from "../../local/postgres/executed-plans.ts";
import { applySchemaFiles, readSchemaFiles } from "../../local/postgres/schemas.ts";
import { REPOSITORY } from "../../local/system/settings.ts";
import { assertBooksAreRight } from "../support/backend.ts";
import { createEmptyDatabase } from "../support/database.ts";
import { one } from "../support/lists.ts";
import { playStory } from "../support/story.ts";

const PARTITIONS = 4;
const ENTRIES_PER_USER = 5;

const files = await readSchemaFiles();
const database = await createEmptyDatabase(false);
Deno.test.afterAll(() => database.drop());

await applySchemaFiles(database.url, partitionLedger(files, PARTITIONS));
await database.sql.unsafe(await Deno.readTextFile(join(REPOSITORY, "supabase", "seed.sql")));
await fillChargedBooks(database, { users: 500, entriesPerUser: ENTRIES_PER_USER }, () => {});

Deno.test("every function works on a partitioned ledger", async () => {
  await playStory(database.sql);
  await assertBooksAreRight(database.sql);
});

Deno.test("every partition has entries, and refuses to be changed or emptied", async () => {
  for (let remainder = 0; remainder < PARTITIONS; remainder++) {
    const partition = database.sql(`public.credit_transactions_${remainder}`);
    const { entries } = one(
      await database.sql`select count(*)::integer as entries from ${partition}`,
    );
    ok(entries > 0);
    const refused = { message: /append-only/ };
    await rejects(database.sql`update ${partition} set credits = 2`, refused);
    await rejects(database.sql`truncate ${partition}`, refused);
  }
});

const NUMBER = `'+91${FIRST_NATIONAL_NUMBER + 7}'`;

Deno.test.each([
  [
    "a page of history",
    `select * from public.list_credit_transactions(
      (select user_id from public.identities where kind = 'phone' and value = ${NUMBER}), 20)`,
    1,
  ],
  // It finds a repeated reference by writing its own entry, which reads nothing.
  ["a charge", `select * from public.deduct_credits(${NUMBER}, 1, gen_random_uuid()::text)`, 0],
  ["a repeated charge", `select * from public.deduct_credits(${NUMBER}, 1, 'again')`, 1],
  [
    "a reservation",
    `select * from public.reserve_credits(${NUMBER}, reference_id => gen_random_uuid()::text)`,
    1,
  ],
])("%s reads no more than one partition, by an index", async (_, statement, partitions) => {
  const reader = await openPlanReader(database.superuserUrl);
  try {
    // So often that PostgreSQL has a plan for all values alike, if it ever makes one.
    const { nodes } = await reader.execute(statement, 10);
    const reads = nodes.filter((node) =>
      node["Relation Name"]?.startsWith("credit_transactions_") && node["Actual Loops"] > 0
    );
    strictEqual(new Set(reads.map((node) => node["Relation Name"])).size, partitions);
    deepStrictEqual(reads.filter((node) => !node["Index Name"]), []);
  } finally {
    await reader.end();
  }
});
