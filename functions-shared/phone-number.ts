/**
 * Normalizes phone numbers to E.164, so that each person has one spelling.
 *
 * Bare digits mean different things in different places. A WhatsApp id is a number with its country
 * code and no plus sign; what a person types into a page is mostly a national number. 6 in 100
 * ten-digit Indian mobile numbers are also valid numbers abroad, so the reading depends on the
 * source.
 * @module
 */

// The modern build starts faster. Deno 2.1.4 cannot resolve its own declarations.
// @ts-types="libphonenumber-js/core"
import { type CountryCode, parsePhoneNumberFromString } from "libphonenumber-js/core/es6";
import metadata from "libphonenumber-js/max/metadata";
import { ConfigurationError, defaultCountry } from "shared/environment.ts";
import { asDialed } from "shared/old-spelling.ts";

/**
 * What the database takes: at most 15 digits, as ITU-T E.164 says. Some numbering plans, such as Germany's,
 * have longer numbers.
 */
const E164 = /^\+[1-9][0-9]{6,14}$/;

/** Where a number came from: the bot sends WhatsApp ids, a page sends what a person typed. */
export type PhoneNumberSource = "whatsapp" | "page";

/**
 * Turns any common spelling into E.164 (`+919876543210`); returns `undefined` if the text is not one
 * valid number. Idempotent.
 *
 * Digits of other scripts, extensions, and words around the number are rejected rather than guessed.
 */
export function toE164(text: string, source: PhoneNumberSource): string | undefined {
  const spelling = text.trim();
  if (spelling.length > 32 || !/^\+?[0-9(][0-9 ().\/-]*$/.test(spelling)) return undefined;
  if (spelling.startsWith("+")) return international(spelling);

  const digits = spelling.replace(/[^0-9]/g, "");
  return source === "whatsapp"
    ? international(`+${digits}`) ?? national(digits)
    : national(digits) ?? international(`+${digits}`);
}

/**
 * Returns the number that a WhatsApp message id holds, in E.164: `wamid.` and base64, in which the other
 * side's number is written in digits.
 */
export function numberInMessageId(messageId: string): string | undefined {
  const [, encoded] = /^wamid\.([A-Za-z0-9+/]+={0,2})$/.exec(messageId) ?? [];
  if (encoded === undefined) return undefined;
  try {
    const [digits] = /[0-9]{7,15}/.exec(atob(encoded)) ?? [];
    return digits && toE164(`+${digits}`, "whatsapp");
  } catch {
    // Not base64 after all.
    return undefined;
  }
}

function international(spelling: string): string | undefined {
  const number = spelling.replace(/[^+0-9]/g, "");
  const read = dialable(number) ?? valid(number);
  // Parsing drops a trunk zero after the country code, which may reveal an old spelling.
  return read && (dialable(read) ?? read);
}

function national(digits: string): string | undefined {
  const number = valid(digits, nationalCountry());
  return number && international(number);
}

/**
 * Returns the country whose national numbers a page may send.
 *
 * @throws {ConfigurationError} if `DEFAULT_COUNTRY` names none.
 */
export function nationalCountry(): CountryCode {
  const country = defaultCountry();
  if (isCountryCode(country)) return country;
  throw new ConfigurationError("DEFAULT_COUNTRY is not an ISO 3166-1 alpha-2 country code");
}

function isCountryCode(text: string): text is CountryCode {
  return Object.hasOwn(metadata.countries, text);
}

function valid(spelling: string, country?: CountryCode): string | undefined {
  const options = { ...(country && { defaultCountry: country }), extract: false };
  const number = parsePhoneNumberFromString(spelling, options, metadata);
  return number?.isValid() && E164.test(number.number) ? number.number : undefined;
}

/** Returns the number that is dialed today for an old spelling; `undefined` for any other number. */
function dialable(number: string): string | undefined {
  const dialed = asDialed(number);
  return dialed === number ? undefined : valid(dialed);
}
