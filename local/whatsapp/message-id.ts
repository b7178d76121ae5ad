/**
 * The ids of WhatsApp messages.
 * @module
 */

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";

/**
 * Returns the id of a new message. Like a real one, it holds the customer's number, which anyone can
 * read who decodes it.
 */
export function newMessageId(customer: string): string {
  const head = Buffer.concat([Buffer.from([0x1c, 0x18, customer.length]), Buffer.from(customer)]);
  return `wamid.${
    Buffer.concat([head, Buffer.from([0x15, 0x02, 0]), randomBytes(16)]).toString("base64")
  }`;
}
