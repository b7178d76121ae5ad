/**
 * All rules that are broken, by subject. The small size breaks the first rule of the first subjects.
 * @module
 */

import type { Subject } from "../mutant.ts";
import { operators, origins, paymentReturn, proofs, secrets } from "./access.ts";
import {
  accountInvariants,
  checksByPart,
  ledgerInvariants,
  paymentInvariants,
} from "./invariants.ts";
import { keys } from "./keys.ts";
import { events, limits, logs, retention, timeLimits } from "./operation.ts";
import { amounts, moneyBack, razorpay } from "./purchases.ts";
import { expiry, replays } from "./replays.ts";
import { turns } from "./turns.ts";

/** Every subject has at least one rule. */
export const SUBJECTS: readonly Subject[] = [
  secrets,
  keys,
  turns,
  amounts,
  ledgerInvariants,
  accountInvariants,
  paymentInvariants,
  checksByPart,
  replays,
  expiry,
  razorpay,
  moneyBack,
  proofs,
  origins,
  operators,
  paymentReturn,
  limits,
  timeLimits,
  logs,
  retention,
  events,
];
