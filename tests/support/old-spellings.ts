/**
 * Mobile numbers whose old spellings are still in use.
 * @module
 */

/** One number of each country: as it is dialed today, and as it used to be spelled, both in E.164. */
export const OLD_SPELLINGS = [
  ["+525512345678", "+5215512345678"],
  ["+5511987654321", "+551187654321"],
  ["+5491123456789", "+541123456789"],
] as const;
