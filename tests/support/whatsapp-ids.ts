/**
 * WhatsApp user ids that no other test uses.
 * @module
 */

import { randomUUID } from "node:crypto";

/** A WhatsApp user id that nobody has. */
export const newWhatsappId = (): string => `IN.${randomUUID().replaceAll("-", "")}`;
