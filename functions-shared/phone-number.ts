/**
 * One person, one spelling: phone numbers become E.164.
 *
 * Bare digits mean different things in different places. A WhatsApp id is a number with its country
 * code and no plus sign; what a person types into a page is mostly a number of the own country.
 * 6 of 100 ten-digit Indian mobile numbers are also somebody's number abroad, so the reading
 * depends on the source.
 * @module
 */

import {
  type CountryCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from "libphonenumber-js/max";
import { ConfigurationError, defaultCountry } from "shared/environment.ts";

/** Where a number came from: the bot hands over WhatsApp ids, a page what a person typed. */
export type PhoneNumberSource = "whatsapp" | "page";

/**
 * Turns any usual spelling into E.164 (`+919876543210`), or into `undefined` where the text is not
 * one valid number. Reads its own answer as itself.
 *
 * Digits of other scripts, extensions and words around the number are refused rather than guessed.
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

function international(spelling: string): string | undefined {
  const number = spelling.replace(/[^+0-9]/g, "");
  const read = valid(dialable(number)) ?? valid(number);
  // Reading drops a trunk zero after the country code, and may uncover an old spelling by that.
  return read && (valid(dialable(read)) ?? read);
}

function national(digits: string): string | undefined {
  const country = defaultCountry();
  if (!isSupportedCountry(country)) {
    throw new ConfigurationError("DEFAULT_COUNTRY is not an ISO 3166-1 alpha-2 country code");
  }
  const number = valid(digits, country);
  return number && international(number);
}

function valid(spelling: string, country?: CountryCode): string | undefined {
  const number = parsePhoneNumberFromString(spelling, { defaultCountry: country, extract: false });
  return number?.isValid() ? number.number : undefined;
}

/**
 * WhatsApp keeps old spellings of mobile numbers in three countries; the number one dials today is
 * the one we keep. Mexico dropped the 1 after the country code in 2019. Brazil put a 9 before
 * mobile numbers of eight digits. Argentina puts a 9 after the country code of mobile numbers, and
 * no number is both a mobile and a fixed line, so the 9 can be added to all.
 */
function dialable(number: string): string {
  return number
    .replace(/^\+521([0-9]{10})$/, "+52$1")
    .replace(/^\+55([1-9][0-9])([6-9][0-9]{7})$/, "+55$19$2")
    .replace(/^\+54([1-8][0-9]{9})$/, "+549$1");
}
