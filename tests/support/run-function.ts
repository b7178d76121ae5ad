/**
 * Calls one function once, in a process of its own that a test may kill. The name is the argument, and
 * the environment is that of a deployed function.
 * @module
 */

import { z } from "zod";

const [name = ""] = Deno.args;
const keys = z.object({ default: z.string() })
  .parse(JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS") ?? ""));
const { default: edgeFunction } = await import(`../../supabase/functions/${name}/index.ts`);
const response: Response = await edgeFunction.fetch(
  new Request(`http://127.0.0.1/${name}`, { method: "POST", headers: { apikey: keys.default } }),
);
console.log(await response.text());
