/**
 * The contract of `POST bot-link`.
 * @module
 */

import { z } from "zod";
import { BOT_IDENTITY_FIELDS, botIdentity, byBotIdentity } from "shared/contract/bot-identity.ts";
import { timestamp } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";

export const botLink = {
  name: "bot-link",
  method: "POST",
  caller: "bot",
  summary: "Create a link to the user's own page, for the chat",
  description:
    "The link carries a token that is valid for half an hour; the page sends it as `x-access-token`. " +
    "Anyone with the link can read the account; send it only to that user's chat.",
  input: z.object(botIdentity),
  anyOf: BOT_IDENTITY_FIELDS,
  examples: byBotIdentity(),
  missingMessage: "Phone number is required",
  data: z.object({ url: z.url(), token: z.string(), expires_at: timestamp }),
  successMessage: "Link created successfully",
  errors: [],
} as const satisfies Operation;
