/**
 * Many connections to one database, opened before they are used, so that what they do really happens
 * at once.
 * @module
 */

import postgres from "postgres";
import { one } from "./lists.ts";
import { until } from "../../local/system/until.ts";

/** Open connections; `await using` closes them. */
export interface Connections extends AsyncDisposable {
  /**
   * Starts `act` on every connection, with its index, and lets none begin before all of them are ready.
   */
  all<Result>(act: (sql: postgres.Sql, index: number) => Promise<Result>): Promise<Result[]>;
}

/** The advisory lock that holds all connections back until they are ready. */
const GATE = 20_261_101;

/** Opens `count` connections to the database at `url`. */
export async function openConnections(url: string, count: number): Promise<Connections> {
  const open = () => postgres(url, { max: 1, onnotice: () => {} });
  const keeper = open();
  const sessions = Array.from({ length: count }, open);
  await Promise.all(sessions.map((sql) => sql`select 1`));
  return {
    async all(act) {
      await keeper`select pg_advisory_lock(${GATE})`;
      const results = Promise.all(sessions.map(async (sql, index) => {
        // Later statements on the same connection wait behind this one in the server's queue.
        const passed = sql`
          select pg_advisory_lock_shared(${GATE}), pg_advisory_unlock_shared(${GATE})`.execute();
        const [result] = await Promise.all([act(sql, index), passed]);
        return result;
      }));
      // One may fail before the gate is known to be open, and only then is this awaited.
      results.catch(() => {});
      await until("all connections are ready", async () => await waitingAt(keeper) === count);
      await keeper`select pg_advisory_unlock(${GATE})`;
      return await results;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([keeper, ...sessions].map((sql) => sql.end()));
    },
  };
}

/** How many sessions wait for a lock that another one holds, without those held back by the gate. */
export async function waitingForLocks(sql: postgres.Sql): Promise<number> {
  const { count } = one(
    await sql`
    select count(*)::int from pg_catalog.pg_locks
    where not granted and pid in (
      select pid from pg_catalog.pg_stat_activity where datname = current_database()
    ) and not (locktype = 'advisory' and objid = ${GATE})`,
  );
  return count;
}

async function waitingAt(keeper: postgres.Sql): Promise<number> {
  const { count } = one(
    await keeper`
    select count(*)::int from pg_catalog.pg_locks
    where locktype = 'advisory' and objid = ${GATE} and not granted
      and database = (select oid from pg_catalog.pg_database where datname = current_database())`,
  );
  return count;
}
