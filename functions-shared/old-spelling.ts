/**
 * Old spellings of mobile numbers, which WhatsApp and Supabase Auth keep and nobody dials. Apart from
 * `phone-number.ts`, so that a function which only checks a session does not load all numbering plans.
 * @module
 */

/**
 * Returns the number that is dialed today for an old spelling, both in E.164; any other number as it is.
 *
 * Mexico dropped the 1 after the country code in 2019. Brazil put a 9 before mobile numbers of eight
 * digits. Argentina puts a 9 after the country code of mobile numbers, and no number is both a mobile
 * and a fixed line, so the 9 can be added to all, but for service numbers, with which nobody signs in.
 */
export function asDialed(number: string): string {
  return number
    .replace(/^\+521([0-9]{10})$/, "+52$1")
    .replace(/^\+55([1-9][0-9])([6-9][0-9]{7})$/, "+55$19$2")
    .replace(/^\+54([1-8][0-9]{9})$/, "+549$1");
}
