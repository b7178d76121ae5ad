/**
 * A PostgreSQL 15 with Debian's pg_cron, and stubs of the other extensions of a hosted project that
 * exist for no other platform: pg_net, which records here what it would send, and Vault, which does
 * not encrypt.
 * @module
 */

import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { migrate } from "../../local/postgres/migrations.ts";
import { prepareDatabase } from "../../local/postgres/platform.ts";
import { startPostgres, SUPERUSER } from "../../local/postgres/server.ts";
import { exists } from "../../local/system/files.ts";

const BINARIES = "/usr/lib/postgresql/15/bin";

/** Whether Debian's packages postgresql-15 and postgresql-15-cron are installed. */
export const HAS_PG_CRON = await exists(join(BINARIES, "initdb")) &&
  await exists("/usr/lib/postgresql/15/lib/pg_cron.so");

/** A migrated database with the extensions. */
export interface HostedDatabase {
  /** Queries as `postgres`, as the SQL editor does. */
  readonly sql: postgres.Sql;
  /** Queries as the role that owns the extensions. */
  readonly superuser: postgres.Sql;
  /** Stops the server and starts it again; pg_cron then runs its jobs. */
  restart(): Promise<void>;
  /** Removes the server. */
  stop(): Promise<void>;
}

/** With the rights that a hosted project gives to `postgres`. */
const EXTENSIONS = `
  create extension pg_cron;
  grant usage on schema cron to postgres;
  grant execute on all functions in schema cron to postgres;

  create schema net;
  grant usage on schema net to postgres;
  create table net.requests (
    id bigint generated always as identity,
    url text not null,
    body jsonb,
    headers jsonb,
    timeout_milliseconds integer
  );
  create function net.http_post(
    url text,
    body jsonb default '{}',
    params jsonb default '{}',
    headers jsonb default '{"Content-Type": "application/json"}',
    timeout_milliseconds integer default 5000
  )
  returns bigint
  language sql
  security definer
  as $$
    insert into net.requests (url, body, headers, timeout_milliseconds)
    values (url, body, headers, timeout_milliseconds)
    returning id
  $$;

  create schema vault;
  grant usage on schema vault to postgres;
  create table vault.secrets (
    id uuid primary key default gen_random_uuid(),
    name text unique,
    description text not null default '',
    secret text not null
  );
  create view vault.decrypted_secrets as
    select id, name, description, secret, secret as decrypted_secret from vault.secrets;
  grant select, delete on vault.secrets, vault.decrypted_secrets to postgres;
  create function vault.create_secret(
    new_secret text,
    new_name text default null,
    new_description text default '',
    new_key_id uuid default null
  )
  returns uuid
  language sql
  security definer
  as $$
    insert into vault.secrets (secret, name, description)
    values (new_secret, new_name, new_description)
    returning id
  $$;
  create function vault.update_secret(
    secret_id uuid,
    new_secret text default null,
    new_name text default null,
    new_description text default null,
    new_key_id uuid default null
  )
  returns void
  language sql
  security definer
  as $$
    update vault.secrets s
    set secret = coalesce(new_secret, s.secret), name = coalesce(new_name, s.name),
      description = coalesce(new_description, s.description)
    where s.id = secret_id
  $$;
`;

/** Starts the server. Its jobs log in by themselves, as those of a hosted project do. */
export async function startHostedDatabase(): Promise<HostedDatabase> {
  const folder = join(tmpdir(), `hosted-${randomBytes(6).toString("hex")}`);
  const password = randomBytes(24).toString("hex");
  const start = (port: number) =>
    startPostgres({
      binaries: BINARIES,
      folder,
      port,
      password,
      durable: false,
      settings: { shared_preload_libraries: "pg_cron", "cron.host": "127.0.0.1" },
    });
  let server = await start(0);
  // pg_cron keeps the port with the job, and logs in to it.
  const { port } = server;
  const urlOf = (role: string) => `postgresql://${role}:${password}@127.0.0.1:${port}/postgres`;
  const connections: postgres.Sql[] = [];
  async function stop() {
    await Promise.all(connections.map((connection) => connection.end()));
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }

  try {
    await prepareDatabase(urlOf(SUPERUSER), { password });
    await migrate(urlOf("postgres"));
    const [sql, superuser] = ["postgres", SUPERUSER].map((role) => {
      const connection = postgres(urlOf(role), { onnotice: () => {} });
      connections.push(connection);
      return connection;
    }) as [postgres.Sql, postgres.Sql];
    await superuser.unsafe(EXTENSIONS);
    return {
      sql,
      superuser,
      stop,
      async restart() {
        await server.stop();
        const rules = join(folder, "data", "pg_hba.conf");
        const ownJobs = "host postgres postgres 127.0.0.1/32 trust\n";
        await Deno.writeTextFile(rules, ownJobs + await Deno.readTextFile(rules));
        server = await start(port);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
