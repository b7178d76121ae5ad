/**
 * Connections that can die at any moment without harm, for the embedded Data API.
 *
 * postgres.js 3.4.9 reuses a connection object after its socket has closed. Kysely ends a failed
 * transaction with a rollback on the connection that it has reserved: where the server was killed,
 * the driver then writes to no socket, in a callback that nobody can catch, and the whole process
 * ends with "Cannot read properties of null (reading 'write')" (porsager/postgres issues 1154 and
 * 1208). Releasing such a connection even hands it to the next caller.
 *
 * So each connection here is a driver of its own that is thrown away as soon as its socket closes.
 *
 * A statement can fail before the socket closes: when the server refuses a login, or the network resets
 * the connection. The driver queues what it is asked in between, and connects once more for it, even if
 * it is told to end. That connection would stay open although nobody holds it, so the driver of a
 * closed connection is refused another socket.
 *
 * When it connects, postgres.js also asks for the types of arrays, with a query whose failure nobody can
 * catch: a connection that died in that moment ended the whole process with "Uncaught (in promise)". So
 * the connections here know the types from a driver that has asked before, and do not ask.
 * @module
 */

import postgres from "postgres";

/** What Kysely's dialect asks a driver for. */
export interface Connections {
  /** Resolves with a connection of the caller's own, until it is released. */
  reserve(): Promise<ReservedConnection>;
  /** Closes all connections, and refuses to reserve another. */
  end(): Promise<void>;
}

/** A connection that belongs to one caller. */
export interface ReservedConnection {
  /** Runs a statement. Rejects with the code `CONNECTION_CLOSED` once the connection has died. */
  unsafe(statement: string, parameters: unknown[]): Promise<unknown>;
  release(): void;
}

/** A driver of the package, as far as its options matter. */
type Driver = Pick<postgres.Sql, "options">;

/** The driver accepts options that it has already parsed, although its types do not say so. */
type DriverOptions = postgres.Options<Record<string, postgres.PostgresType>>;

/** How long statements in progress may delay the end of the connections. */
const CLOSE_TIMEOUT_SECONDS = 5;

/**
 * Opens up to `limit` connections like those of `driver`, each when it is first needed. Further callers
 * wait for one. The driver must have run a statement, because it learns the types of arrays with its first.
 */
export function openConnections(driver: Driver, limit: number): Connections {
  const idle: Connection[] = [];
  const open = new Set<Connection>();
  const waiting: PromiseWithResolvers<Connection>[] = [];
  let ended = false;

  function take(): Connection | undefined {
    return idle.pop() ?? (open.size < limit ? connect() : undefined);
  }

  function connect(): Connection {
    const connection = new Connection(driver, () => {
      open.delete(connection);
      const place = idle.indexOf(connection);
      if (place >= 0) idle.splice(place, 1);
      serveNext();
    });
    open.add(connection);
    return connection;
  }

  function serveNext(): void {
    const connection = waiting.length > 0 ? take() : undefined;
    if (connection !== undefined) waiting.shift()?.resolve(connection);
  }

  return {
    async reserve() {
      if (ended) throw connectionClosed();
      const turn = Promise.withResolvers<Connection>();
      waiting.push(turn);
      serveNext();
      const connection = await turn.promise;
      return {
        unsafe: (statement, parameters) => connection.run(statement, parameters),
        release() {
          if (connection.isClosed) return;
          idle.push(connection);
          serveNext();
        },
      };
    },
    async end() {
      ended = true;
      for (const turn of waiting.splice(0)) turn.reject(connectionClosed());
      await Promise.all([...open].map((connection) => connection.end(CLOSE_TIMEOUT_SECONDS)));
    },
  };
}

/** One connection of the driver. It connects with its first statement. */
class Connection {
  isClosed = false;
  readonly #sql: postgres.Sql;

  constructor(driver: Driver, onClose: () => void) {
    const options = {
      ...driver.options,
      // How often this one has failed to connect, and not how often any has.
      shared: { ...Reflect.get(driver.options, "shared"), retries: 0 },
      max: 1,
      fetch_types: false,
      // The driver would close it between two statements of a transaction, and open another.
      max_lifetime: null,
      onclose: () => {
        if (this.isClosed) return;
        this.isClosed = true;
        // The driver reads this option whenever it connects.
        Reflect.set(options, "socket", refuseSocket);
        onClose();
        // Rejects whatever the driver has not settled.
        void this.end(0);
      },
    };
    this.#sql = postgres(options as unknown as DriverOptions);
  }

  run(statement: string, parameters: unknown[]): Promise<unknown> {
    if (this.isClosed) return Promise.reject(connectionClosed());
    return this.#sql.unsafe(statement, parameters as postgres.ParameterOrJSON<never>[]);
  }

  end(timeout: number): Promise<void> {
    return this.#sql.end({ timeout });
  }
}

function refuseSocket(): never {
  throw connectionClosed();
}

function connectionClosed(): Error {
  return Object.assign(new Error("The connection to the database is closed"), {
    code: "CONNECTION_CLOSED",
  });
}
