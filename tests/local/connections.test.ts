/**
 * The connections of the embedded Data API, which die without taking anything along.
 * @module
 */
import { deepStrictEqual, rejects } from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { openConnections, type ReservedConnection } from "../../local/stack/connections.ts";
import { createTestDatabase } from "../support/database.ts";

const database = await createTestDatabase();
Deno.test.afterAll(() => database.drop());

const driver = postgres(database.url, { max: 1, onnotice: () => {} });
await driver`select`;
Deno.test.afterAll(() => driver.end());

const CLOSED = { code: /^CONNECTION_(CLOSED|DESTROYED)$/ };

/** How soon the driver connects again: after more than the millisecond that its end takes. */
const RECONNECT_MS = 5;

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
  const connections = openConnections(driver, 1);
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
  const connections = openConnections(driver, 1);
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
  const connections = openConnections(postgres(url.href), 1);
  for (let attempt = 0; attempt < 3; attempt++) {
    const connection = await connections.reserve();
    await rejects(connection.unsafe("select 1", []), { code: "ECONNREFUSED" });
    await rejects(connection.unsafe("select 1", []), CLOSED);
    connection.release();
  }
  await connections.end();
});

Deno.test("no more connections are open than allowed, and a released one is used again", async () => {
  const connections = openConnections(driver, 2);
  const [first, second] = [await connections.reserve(), await connections.reserve()];
  const pids = [await pidOf(first), await pidOf(second)];
  const third = connections.reserve();
  first.release();
  deepStrictEqual(await pidOf(await third), pids[0]);
  await connections.end();
  await rejects(connections.reserve(), CLOSED);
});

Deno.test("arrays are known without asking for their types, in which moment nothing may die", {
  timeout: 20_000,
}, async () => {
  const { hostname, port } = new URL(database.url);
  const cut = await listenAndCut(hostname, Number(port), "pg_catalog.pg_type");
  const options = { ...driver.options, host: ["127.0.0.1"], port: [cut.port] };
  const connections = openConnections({ options }, 1);
  const connection = await connections.reserve();
  const names = ["one", "the other"];
  const rows = await connection.unsafe("select $1::text[] as names", [names]);
  deepStrictEqual([...rows as unknown[]], [{ names }]);
  await connections.end();
  await cut.stop();
});

const DEATHS = [
  { name: "was reset", database: driver.options.database, error: { code: "ECONNRESET" } },
  { name: "was refused", database: "missing", error: { code: "3D000", severity: "FATAL" } },
];
for (const death of DEATHS) {
  Deno.test(`a connection that ${death.name} does not come back for what was asked of it next`, async () => {
    const { hostname, port } = new URL(database.url);
    const cut = await listenAndCut(hostname, Number(port), "fatal", (client) => {
      client.resetAndDestroy();
    });
    const connections = openConnections({
      options: {
        ...driver.options,
        host: ["127.0.0.1"],
        port: [cut.port],
        database: death.database,
        backoff: () => RECONNECT_MS / 1000,
      },
    }, 1);
    const dead = await connections.reserve();
    await rejects(dead.unsafe("select $1::text as fatal", ["word"]), death.error);
    // The driver has failed the statement before it learns that the socket is closed.
    await rejects(dead.unsafe("rollback", []), CLOSED);
    dead.release();

    // A later connection shows that an earlier one would have been counted by now.
    await delay(10 * RECONNECT_MS);
    const next = await connections.reserve();
    await next.unsafe("select", []).catch(() => {});
    deepStrictEqual(cut.accepted(), 2);
    next.release();
    await connections.end();
    await cut.stop();
  });
}

/**
 * Passes connections on, and cuts each whose client says `forbidden`. Stops once all of them are closed.
 */
async function listenAndCut(
  hostname: string,
  port: number,
  forbidden: string,
  end = (client: Socket) => void client.destroy(),
) {
  let accepted = 0;
  const server = createServer((client) => {
    accepted++;
    const target = connect(port, hostname);
    client.on(
      "data",
      (bytes) => bytes.includes(forbidden) ? end(client) : target.write(bytes),
    );
    target.pipe(client);
    client.on("close", () => target.destroy());
    for (const socket of [client, target]) socket.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: own } = server.address() as AddressInfo;
  return {
    port: own,
    accepted: () => accepted,
    stop: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
