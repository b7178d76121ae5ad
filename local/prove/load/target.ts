/**
 * What the load is put on, and what is looked at afterwards.
 * @module
 */

import type postgres from "postgres";
import type { RazorpayControl } from "../../razorpay/control-client.ts";
import type { StackEnvironment } from "../../stack/environment.ts";
import type { EventListener } from "./event-listener.ts";

/**
 * A running backend with its scheduler, and with Razorpay and the bot at its two ends. Nothing here calls
 * `deliver-events`, so that an event that arrives shows that the scheduler is running.
 */
export interface Target {
  readonly environment: StackEnvironment;
  /** Plays the customers at Razorpay. */
  readonly control: RazorpayControl;
  /** Hears the events, as the bot. */
  readonly listener: EventListener;
  /** Queries as the role that owns the tables. */
  readonly sql: postgres.Sql;
}
