/**
 * The smallest Edge Function: it imports the client of the project's Data API, as all of them do,
 * and responds.
 * @module
 */

import { createClient } from "@supabase/supabase-js";

export default {
  fetch: () => Response.json({ imported: typeof createClient }, { status: 400 }),
};
