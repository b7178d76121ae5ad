/**
 * The Razorpay stand-in as a process of its own, so that it can be killed apart from the functions, and
 * so that what it remembers is not counted as their memory. In `deno task start` it is part of the
 * stack's process.
 * @module
 */

import process from "node:process";
import { z } from "zod";
import { startRazorpay } from "../../razorpay/server.ts";
import { interrupted, runTask } from "../../system/task.ts";

/** The variables that it is started with. */
const variables = z.object({
  STAND_IN_PORT: z.coerce.number(),
  STAND_IN_STATE: z.string(),
  STAND_IN_WEBHOOK_URL: z.string(),
  RAZORPAY_KEY_ID: z.string(),
  RAZORPAY_KEY_SECRET: z.string(),
  RAZORPAY_WEBHOOK_SECRET: z.string(),
});

/** A retry that Razorpay sends after 6 seconds is sent after 120 milliseconds. */
const WEBHOOK_TIME_FACTOR = 0.02;

await runTask(async () => {
  const given = variables.parse(process.env);
  const interruption = interrupted();
  const standIn = await startRazorpay({
    port: given.STAND_IN_PORT,
    keyId: given.RAZORPAY_KEY_ID,
    keySecret: given.RAZORPAY_KEY_SECRET,
    webhookSecret: given.RAZORPAY_WEBHOOK_SECRET,
    webhookUrl: given.STAND_IN_WEBHOOK_URL,
    stateFile: given.STAND_IN_STATE,
    settings: { webhook_time_factor: WEBHOOK_TIME_FACTOR, webhook_order: "shuffled" },
  });
  await interruption;
  await standIn.stop();
  Deno.exit(0);
});
