/**
 * supabase-js, as a page uses it.
 * @module
 */

import { createClient, type SupabaseClient } from "@supabase/supabase-js";

/** A client with the key that every page has, and the access token of a session if there is one. */
export function pageClient(
  { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY }: Record<
    "SUPABASE_URL" | "SUPABASE_PUBLISHABLE_KEY",
    string
  >,
  accessToken?: string,
): SupabaseClient {
  return createClient(
    SUPABASE_URL,
    SUPABASE_PUBLISHABLE_KEY,
    accessToken === undefined
      ? { auth: { persistSession: false, autoRefreshToken: false } }
      : { accessToken: () => Promise.resolve(accessToken) },
  );
}
