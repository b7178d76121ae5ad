/**
 * Calls that wait for another one: the first is made in a transaction that is committed only when the
 * others wait for its locks, so that they really meet.
 * @module
 */

import { fail } from "node:assert/strict";
import type postgres from "postgres";
import { openConnections, waitingForLocks } from "./connections.ts";
import type { TestDatabase } from "./database.ts";
import { at } from "./lists.ts";
import { until } from "../../local/system/until.ts";

/** A call on a connection of its own. */
export type Call<Result> = (sql: postgres.ISql) => Promise<Result>;

/** What the first call returned, and what those that waited for it did. */
export interface Turns<First, Result> {
  readonly first: First;
  readonly followers: Result[];
}

/**
 * Makes the first call and holds its commit back until all others wait for a lock; `then` is what its
 * transaction still does before. Fails if one of the others answers without having waited.
 */
export async function takeTurns<First, Result>(
  { sql, url }: TestDatabase,
  first: Call<First>,
  followers: readonly Call<Result>[],
  then: Call<unknown> = () => Promise.resolve(),
): Promise<Turns<First, Result>> {
  await using connections = await openConnections(url, followers.length);
  const following = Promise.withResolvers<Result[]>();
  const result = await sql.begin(async (holder) => {
    const result = await first(holder);
    let failure: unknown;
    let answered = false;
    connections.all(async (session, index) => {
      const result = await at(followers, index)(session);
      answered = true;
      return result;
    }).then(following.resolve, following.reject);
    following.promise.catch((error) => {
      answered = true;
      failure = error;
    });
    await until("the other calls wait for the first one", async () => {
      if (failure !== undefined) throw failure;
      if (answered) fail("A call did not wait for the one before it");
      return await waitingForLocks(sql) >= followers.length;
    });
    await then(holder);
    return result;
  });
  return { first: result as First, followers: await following.promise };
}
