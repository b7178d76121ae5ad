/**
 * The connections of the embedded Data API, which die without taking anything along.
 * @module
 */
import { deepStrictEqual, rejects } from "node:assert/strict";
import { openConnections, type ReservedConnection } from "../../local/stack/connections.ts";
import { createTestDatabase } from "../support/database.ts";

const database = await createTestDatabase();
Deno.test.afterAll(() => database.drop());

const CLOSED = { code: /^CONNECTION_(CLOSED|DESTROYED)$/ };

async function pidOf(connection: ReservedConnection): Promise<number> {
  const rows = await connection.unsafe("select pg_backend_pid() as pid", []);
  return (rows as [{ pid: number }])[0].pid;
}

async function terminate(connection: ReservedConnection): Promise<void> {
  const pid = await pidOf(connection);
  const sleeping = connection.unsafe("select pg_sleep(60)", []);
  await Promise.all([
    rejects(sleeping),
    database.sql`select pg_terminate_backend(${pid})`,
  ]);
}

Deno.test("a transaction whose connection dies can be rolled back, and the next one works", async () => {
  const connections = openConnections(database.url, 1, {});
  const dead = await connections.reserve();
  await dead.unsafe("begin", []);
  await terminate(dead);
  await rejects(dead.unsafe("rollback", []), CLOSED);
  dead.release();
  const alive = await connections.reserve();
  deepStrictEqual([...await alive.unsafe("select $1::int as n", [1]) as unknown[]], [{ n: 1 }]);
  alive.release();
  await connections.end();
});

Deno.test("a caller who waits gets the place of a connection that died", async () => {
  const connections = openConnections(database.url, 1, {});
  const dead = await connections.reserve();
  const waiting = connections.reserve();
  await terminate(dead);
  const alive = await waiting;
  await pidOf(alive);
  alive.release();
  await connections.end();
});

Deno.test("a server that cannot be reached fails each statement, and is asked again", async () => {
  const url = new URL(database.url);
  url.port = "1";
  const connections = openConnections(url.href, 1, {});
  for (let attempt = 0; attempt < 3; attempt++) {
    const connection = await connections.reserve();
    await rejects(connection.unsafe("select 1", []), { code: "ECONNREFUSED" });
    await rejects(connection.unsafe("select 1", []), CLOSED);
    connection.release();
  }
  await connections.end();
});

Deno.test("no more connections are open than allowed, and a released one is used again", async () => {
  const connections = openConnections(database.url, 2, {});
  const [first, second] = [await connections.reserve(), await connections.reserve()];
  const pids = [await pidOf(first), await pidOf(second)];
  const third = connections.reserve();
  first.release();
  deepStrictEqual(await pidOf(await third), pids[0]);
  await connections.end();
  await rejects(connections.reserve(), CLOSED);
});
