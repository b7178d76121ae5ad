/**
 * Reads the configuration of the pages from a file that somebody has written by hand.
 * @module
 */

import { z } from "zod";
import { TaskError } from "../system/task.ts";
import { CHECKOUT_URL, type PageConfiguration } from "./pages.ts";

/** An address without a path, so that the functions' paths can be appended. */
const address = z.url().refine(
  (text) => new URL(text).origin === text,
  "must be an address without a path, such as https://abcdefghijklmnopqrst.supabase.co",
);

const configuration = z.strictObject({
  supabase_url: address,
  // The secret key in a page would be everybody's.
  publishable_key: z.string().regex(/^sb_publishable_\S+$/, "must begin with sb_publishable_"),
  seller_name: z.string().min(1).max(100),
  checkout_url: z.url({ protocol: /^https?$/ }).default(CHECKOUT_URL),
  bot_number: z.e164("must be a number such as +919876543210").exactOptional(),
}) satisfies z.ZodType<PageConfiguration>;

/**
 * Parses a configuration file.
 *
 * @throws {TaskError} that names the first field that is wrong.
 */
export function parseConfiguration(text: string): PageConfiguration {
  const result = configuration.safeParse(parseJson(text));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".");
  throw new TaskError(
    field
      ? `The configuration's ${field} ${issue?.message}.`
      : `The configuration is wrong: ${issue?.message}.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TaskError("The configuration is not JSON.");
  }
}
