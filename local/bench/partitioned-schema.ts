/**
 * The schema of `supabase/schemas/`, with the ledger in hash partitions by user.
 *
 * One clause is added to the table. Keys, policies, grants and the triggers for each row apply to a
 * partition through it; each partition only needs row level security, which a table has for itself, and
 * the triggers for each statement, which PostgreSQL does not copy.
 * @module
 */

import type { SchemaFile } from "../postgres/schemas.ts";

const LEDGER = "schemas/tables/ledger.sql";
const CREATE_LEDGER = /^create table public\.credit_transactions \($[^]*?^\)(?=;$)/m;

const TRIGGERS = "schemas/triggers.sql";
const STATEMENT_TRIGGERS =
  /^create trigger \w+\n {2}\w+ \w+ on public\.credit_transactions\n(?: {2}referencing .*\n)? {2}for each statement .*;$/gm;

/** Returns the files of the schema with a ledger of `count` partitions. */
export function partitionLedger(files: readonly SchemaFile[], count: number): SchemaFile[] {
  const partitions = Array.from({ length: count }, (_, remainder) => ({
    name: `public.credit_transactions_${remainder}`,
    values: `with (modulus ${count}, remainder ${remainder})`,
  }));
  const tables = partitions.map(({ name, values }) => `
    create table ${name} partition of public.credit_transactions for values ${values};
    alter table ${name} enable row level security;`);

  return files.map(({ path, text }) => {
    if (path === TRIGGERS) {
      const triggers = text.match(STATEMENT_TRIGGERS) ?? [];
      const copies = partitions.flatMap(({ name }) =>
        triggers.map((trigger) => trigger.replace(" on public.credit_transactions", ` on ${name}`))
      );
      return { path, text: text + copies.join("\n") };
    }
    if (path !== LEDGER) return { path, text };
    if (!CREATE_LEDGER.test(text)) {
      throw new Error(`supabase/${LEDGER} does not create the ledger as this expects it`);
    }
    const table = text.replace(CREATE_LEDGER, "$& partition by hash (user_id)");
    return { path, text: table + tables.join("") };
  });
}
