/**
 * The schema of `supabase/schemas/`, with one clause added: the ledger in hash partitions by user.
 * @module
 */

import type { SchemaFile } from "../postgres/schemas.ts";

const LEDGER = "schemas/tables/ledger.sql";
const CREATE_LEDGER = /^create table public\.credit_transactions \($[^]*?^\)(?=;$)/m;

/** Returns the files of the schema with a ledger of `count` partitions. */
export function partitionLedger(files: readonly SchemaFile[], count: number): SchemaFile[] {
  const partitions = Array.from(
    { length: count },
    (_, remainder) =>
      `create table public.credit_transactions_${remainder} partition of public.credit_transactions
         for values with (modulus ${count}, remainder ${remainder});
       alter table public.credit_transactions_${remainder} enable row level security;`,
  );
  return files.map((file) => {
    if (file.path !== LEDGER) return file;
    if (!CREATE_LEDGER.test(file.text)) {
      throw new Error(`supabase/${LEDGER} does not create the ledger as this expects it`);
    }
    const text = file.text.replace(
      CREATE_LEDGER,
      (create) => `${create} partition by hash (user_id)`,
    );
    return { ...file, text: `${text}\n${partitions.join("\n")}\n` };
  });
}
