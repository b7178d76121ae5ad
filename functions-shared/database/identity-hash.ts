/**
 * The keyed hashes by which the database recognizes somebody who was erased and comes back. It never
 * sees the key, so what it keeps tells nobody whom it is about.
 * @module
 */

import { erasureSecret } from "shared/environment.ts";
import { hmac } from "shared/hmac.ts";

/** Who somebody is, as the arguments and results of SQL functions name it. */
export interface Identities {
  readonly phone_number?: string | null | undefined;
  readonly whatsapp_user_id?: string | null | undefined;
}

/**
 * Returns the hash of one identity: its kind, a space and its value, as `public.identities` has them.
 *
 * @throws {ConfigurationError} if there is no secret.
 */
export function hashIdentity(identity: string): Promise<string> {
  return hmac(`erased identity\n${identity}`, erasureSecret());
}

/** Returns the hash of each of somebody's identities. */
export async function hashIdentities(
  { phone_number, whatsapp_user_id }: Identities,
): Promise<string[]> {
  return await Promise.all([
    ...(phone_number ? [hashIdentity(`phone ${phone_number}`)] : []),
    ...(whatsapp_user_id ? [hashIdentity(`whatsapp_user_id ${whatsapp_user_id}`)] : []),
  ]);
}
