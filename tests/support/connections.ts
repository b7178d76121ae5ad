/**
 * Many connections to one database, opened before they are used, so that what they do really
 * happens at once.
 * @module
 */

import postgres from "postgres";

/** Open connections; `await using` closes them. */
export interface Connections extends AsyncDisposable {
  /** Starts `act` on every connection at once; `index` says on which. */
  all<Result>(act: (sql: postgres.Sql, index: number) => Promise<Result>): Promise<Result[]>;
}

/** Opens `count` connections to the database at `url`. */
export async function openConnections(url: string, count: number): Promise<Connections> {
  const sessions = Array.from({ length: count }, () => {
    return postgres(url, { max: 1, onnotice: () => {} });
  });
  await Promise.all(sessions.map((sql) => sql`select 1`));
  return {
    all: (act) => Promise.all(sessions.map(act)),
    async [Symbol.asyncDispose]() {
      await Promise.all(sessions.map((sql) => sql.end()));
    },
  };
}
