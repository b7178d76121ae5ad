/**
 * Money, numbers and times as people read them.
 * @module
 */

/** Formats whole paise as rupees: 9900 is "₹99", and 9950 is "₹99.50". */
export function formatPaise(paise: number, language: string): string {
  return (paise / 100).toLocaleString(locale(language), {
    style: "currency",
    currency: "INR",
    minimumFractionDigits: paise % 100 === 0 ? 0 : 2,
  });
}

/** Formats a whole number with the separators of India: 100000 is "1,00,000". */
export function formatNumber(value: number, language: string): string {
  return value.toLocaleString(locale(language));
}

/** Formats a time of the backend in the reader's own time zone. */
export function formatTime(iso: string, language: string): string {
  return new Date(iso).toLocaleString(locale(language), {
    dateStyle: "medium",
    timeStyle: "short",
  });
}

/** Formats the day of a time of the backend in the reader's own time zone, without the year. */
export function formatDay(iso: string, language: string): string {
  return new Date(iso).toLocaleString(locale(language), { day: "numeric", month: "short" });
}

/** Formats the hour and minute of a time. */
export function formatClock(time: Date, language: string): string {
  return time.toLocaleString(locale(language), { timeStyle: "short" });
}

/** Latin digits in every language, as in the chat. */
function locale(language: string): string {
  return `${language}-IN-u-nu-latn`;
}
