/**
 * The migrations on PostgreSQL 15, which hosted projects may still run, from Debian's postgresql-15.
 * @module
 */

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { exists } from "../../local/system/files.ts";
import { prepareDatabase } from "../../local/postgres/platform.ts";
import { startPostgres, SUPERUSER } from "../../local/postgres/server.ts";
import { migrate } from "../../local/postgres/migrations.ts";
import { assertBooksAreRight, assertNewBooksAreRight } from "../support/backend.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { one } from "../support/lists.ts";

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

/** A new user spends the free credits and orders a package. */
async function playStory(sql: postgres.Sql): Promise<void> {
  const { server_version } = one(await sql`show server_version`);
  match(server_version, /^15\./);

  const phone = newPhoneNumber();
  const user = one(await sql`select * from public.get_user(${phone})`);
  strictEqual(user.credits, 3);
  const deduct = async (reference: string | null) => {
    const { outcome, remaining_credits } = one(
      await sql`
      select * from public.deduct_credits(${phone}, 1, ${reference})`,
    );
    return [outcome, remaining_credits];
  };
  deepStrictEqual(await deduct("job-1"), ["deducted", 2]);
  deepStrictEqual(await deduct("job-1"), ["replayed", 2]);
  deepStrictEqual(await deduct(null), ["deducted", 1]);
  deepStrictEqual(await deduct(null), ["deducted", 0]);
  deepStrictEqual(await deduct(null), ["insufficient_credits", 0]);

  const order = one(
    await sql`
    select * from public.place_order(
      package_id => 'starter', key_mode => 'test', phone_number => ${phone}
    )`,
  );
  strictEqual(order.outcome, "placed");
  const { opened } = one(
    await sql`
    select public.attach_razorpay_order(${order.order_id}, 'order_RB58MiP5SPFYyM') as opened`,
  );
  strictEqual(opened, "order_RB58MiP5SPFYyM");
  const { total, transactions } = one(
    await sql`
    select * from public.list_credit_transactions(${user.user_id}, 2)`,
  );
  strictEqual(total, 4);
  strictEqual(transactions.length, 2);
}
