/**
 * The least that an Edge Function can be: it imports the client of the project's Data API, as all of
 * them do, and answers.
 * @module
 */

import { createClient } from "@supabase/supabase-js";

export default {
  fetch: () => Response.json({ imported: typeof createClient }, { status: 400 }),
};
