/**
 * The fields of a package. Apart from `fields.ts`, because most functions would build them for nothing.
 * @module
 */

import { z } from "zod";

/** The id of a package. */
export const packageId = z.string("must be a string")
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, "must be the id of a package, such as starter")
  .meta({ examples: ["starter"] });

/** A package, as responses show it to a buyer. */
export const packageSummary = z.object({
  id: z.string(),
  name: z.string(),
  credits: z.int().min(1),
  price: z.number().min(1).describe("In rupees."),
});
