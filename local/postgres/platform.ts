/**
 * Makes a plain PostgreSQL database look like that of a new Supabase project.
 * @module
 */

import postgres from "postgres";

/** What the database is given. */
export interface PlatformOptions {
  /** Password of the roles `postgres` and `authenticator`, which otherwise keep theirs. */
  readonly password?: string;
  /**
   * Whether new objects in `public` are granted to `anon`, `authenticated` and `service_role` by
   * default, as in projects made before 30 October 2026.
   */
  readonly exposeNewObjects?: boolean;
}

/** Runs platform.sql on the database of a superuser's URL. Running it again changes nothing. */
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
