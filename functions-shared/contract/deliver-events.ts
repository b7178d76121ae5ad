/**
 * The contract of `POST deliver-events`.
 * @module
 */

import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";

export const deliverEvents = {
  name: "deliver-events",
  method: "POST",
  caller: "operator",
  summary: "Send the bot what it is to be told",
  description:
    "For a scheduler, every few seconds. Sends events to the addresses in `EVENTS_URL`, signed, until " +
    "nothing is due or its time is up. It can be interrupted and run again, and several runs at once " +
    "share the work. It needs no body.",
  input: z.object({}),
  examples: {
    always: { summary: "The only request", input: {} },
  },
  missingMessage: "",
  data: z.object({
    handed_out: z.int().min(0).describe("Events that this run saw first."),
    delivered: z.int().min(0).describe("Deliveries that an address has acknowledged."),
    failed: z.int().min(0).describe("Attempts that failed; a later run repeats them."),
  }),
  successMessage: "Events delivered",
  errors: [],
} as const satisfies Operation;
