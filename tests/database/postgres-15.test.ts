/**
 * The migrations on PostgreSQL 15, which hosted projects may still run, from Debian's postgresql-15.
 * @module
 */

import { match, strictEqual } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { exists } from "../../local/system/files.ts";
import { prepareDatabase } from "../../local/postgres/platform.ts";
import { startPostgres, SUPERUSER } from "../../local/postgres/server.ts";
import { migrate } from "../../local/postgres/migrations.ts";
import { assertBooksAreRight, assertNewBooksAreRight } from "../support/backend.ts";
import { one } from "../support/lists.ts";
import { playStory } from "../support/story.ts";

const BINARIES = "/usr/lib/postgresql/15/bin";

Deno.test({
  name: "the migrations run on PostgreSQL 15 (skipped where Debian's postgresql-15 is missing)",
  ignore: !await exists(join(BINARIES, "initdb")),
  async fn() {
    const folder = join(tmpdir(), `postgres-15-${randomBytes(6).toString("hex")}`);
    const password = randomBytes(24).toString("hex");
    const server = await startPostgres({
      binaries: BINARIES,
      folder,
      port: 0,
      password,
      durable: false,
    });
    const urlOf = (role: string) =>
      `postgresql://${role}:${password}@127.0.0.1:${server.port}/postgres`;
    const sql = postgres(urlOf("postgres"), { onnotice: () => {} });
    try {
      await prepareDatabase(urlOf(SUPERUSER), { password });
      await migrate(urlOf("postgres"));
      const { server_version } = one(await sql`show server_version`);
      match(server_version, /^15\./);
      await playStory(sql);
      await assertBooksAreRight(sql);
      await assertNewBooksAreRight(sql);
      const { outcome } = one(await sql`select * from public.run_book_check()`);
      strictEqual(outcome, "caught_up");
    } finally {
      await sql.end();
      await server.stop();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
