/**
 * Serves `bot-deduct` and, in the same process, a handler that only forwards the call.
 * @module
 */

import { createClient } from "@supabase/supabase-js";
import { z } from "zod";
import botDeduct from "../../supabase/functions/bot-deduct/index.ts";

const { SUPABASE_URL, SUPABASE_SECRET_KEYS } = z.object({
  SUPABASE_URL: z.url(),
  SUPABASE_SECRET_KEYS: z.string().transform((text) => JSON.parse(text)).pipe(
    z.object({ default: z.string() }),
  ),
}).parse(Deno.env.toObject());

const client = createClient(SUPABASE_URL, SUPABASE_SECRET_KEYS.default, {
  auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
});

export default {
  async fetch(request: Request): Promise<Response> {
    if (!request.url.endsWith("/forward")) return await botDeduct.fetch(request);
    const { data, error } = await client.rpc("deduct_credits", await request.json());
    return Response.json(data ?? error, { status: error === null ? 200 : 500 });
  },
};
