/**
 * Makes a plain PostgreSQL database look like that of a new Supabase project.
 * @module
 */

import postgres from "postgres";

/** How to prepare the database. */
interface PlatformOptions {
  /** Password for the roles `postgres` and `authenticator`. If absent, they keep theirs. */
  readonly password?: string;
  /**
   * Whether new objects in `public` are granted to `anon`, `authenticated` and `service_role` by
   * default, as in projects created before 30 October 2026.
   */
  readonly exposeNewObjects?: boolean;
}

/** Runs platform.sql as a superuser. Running it again changes nothing. */
export async function prepareDatabase(
  superuserUrl: string,
  { password = "", exposeNewObjects = false }: PlatformOptions = {},
): Promise<void> {
  const sql = postgres(superuserUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`select set_config('platform.password', ${password}, false)`;
    await sql`select set_config('platform.expose_new_objects', ${String(exposeNewObjects)}, false)`;
    await sql.unsafe(await Deno.readTextFile(new URL("./platform.sql", import.meta.url)));
  } finally {
    await sql.end();
  }
}
