/**
 * The contract of `POST resend-events`.
 * @module
 */

import { z } from "zod";
import {
  ACTION_FIELDS_REQUIRED,
  actionFields,
  ENDS_TOO_EARLY,
  endsAfterItBegins,
  exampleAction,
  moment,
  RECORDED,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

export const resendEvents = {
  name: "resend-events",
  method: "POST",
  caller: "operator",
  operatorRole: "support",
  summary: "Tell the bot of events again",
  description:
    "One event, or those of a period, at most 10,000, whether or not they had arrived. A bot knows them " +
    "by their `webhook-id`. Addresses that answered 410, or were down, are sent to again. " +
    RECORDED,
  input: z.object({
    event_id: z.uuid("must be a UUID").nullish(),
    from: moment.nullish().meta({
      description: "The first moment of the period, a date or a time.",
      examples: ["2026-11-01"],
    }),
    to: moment.nullish().meta({
      description: "The moment after the period, a date or a time.",
      examples: ["2026-11-02"],
    }),
    ...actionFields,
  }).refine(
    ({ event_id, from, to }) =>
      event_id == null ? from != null && to != null : from == null && to == null,
    {
      path: ["event_id"],
      error: "must be given alone, or else both from and to",
    },
  ).refine(endsAfterItBegins, ENDS_TOO_EARLY),
  anyOf: ["event_id", "from"],
  examples: {
    one: {
      summary: "One event",
      input: { event_id: "5a6b2d8e-1f0c-4c0e-8a53-0c9a4f1e7b21", ...exampleAction },
    },
    period: {
      summary: "The events of a night in which the bot lost its data",
      input: { from: "2026-11-25T18:00:00Z", to: "2026-11-26T04:00:00Z", ...exampleAction },
    },
  },
  missingMessage: `Event ID or from and to, ${ACTION_FIELDS_REQUIRED}`,
  data: z.object({
    resent: z.int().min(0).describe(
      "Events that are on their way again; 0 if there is no address.",
    ),
  }),
  successMessage: (resent: number) =>
    resent > 0 ? "Events are sent again" : "No event is sent again",
  exampleMessage: "Events are sent again",
  errors: ["EVENT_NOT_FOUND", "REFERENCE_REUSED"],
} as const satisfies Operation;
