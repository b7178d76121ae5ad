/**
 * What an entry of the ledger takes on the disk.
 * @module
 */

import type postgres from "postgres";

/** Bytes per entry, of the rows and of each index. */
export interface LedgerSize {
  readonly rows: number;
  readonly indexes: readonly { readonly name: string; readonly bytes: number }[];
}

/** Measures the ledger, with all of its partitions if it has any. */
export async function ledgerSize(sql: postgres.Sql): Promise<LedgerSize> {
  const [table] = await sql<[{ entries: number; bytes: number }]>`
    select (select count(*) from public.credit_transactions)::integer as entries,
      sum(pg_table_size(relid))::float as bytes
    from (${ledgerTables(sql)}) ledger`;
  const indexes = await sql<{ name: string; bytes: number }[]>`
    select coalesce(pg_partition_root(i.indexrelid), i.indexrelid)::regclass::text as name,
      sum(pg_relation_size(i.indexrelid))::float as bytes
    from (${ledgerTables(sql)}) ledger
    join pg_catalog.pg_index i on i.indrelid = ledger.relid
    group by 1 order by 2 desc`;
  const { entries } = table;
  return {
    rows: table.bytes / entries,
    indexes: indexes.map(({ name, bytes }) => ({ name, bytes: bytes / entries })),
  };
}

/** The tables that hold entries. */
function ledgerTables(sql: postgres.Sql) {
  return sql`
    select relid from pg_partition_tree('public.credit_transactions') where isleaf
    union
    select oid from pg_catalog.pg_class
    where oid = 'public.credit_transactions'::regclass and relkind = 'r'`;
}
