/**
 * Checks the options of the functions when a stack starts, with the functions' own rules. Otherwise a
 * misspelled value would show only when a function needs it.
 * @module
 */

import {
  allowedOrigins,
  ConfigurationError,
  consoleOrigin,
  eventAddresses,
  frontendAccess,
  frontendUrl,
  secondFactor,
} from "shared/environment.ts";
import { nationalCountry } from "shared/phone-number.ts";
import { TaskError } from "../system/task.ts";

/** The reader of each option that can be invalid, and what the value must be. */
const RULES: readonly (readonly [name: string, read: () => unknown, rule: string])[] = [
  ["FRONTEND_ACCESS", frontendAccess, "phone-proof or public"],
  ["ALLOWED_ORIGINS", origins, "origins such as https://one.example, separated by commas, or *"],
  ["CONSOLE_ORIGIN", originOfConsole, "one origin such as https://console.example"],
  ["CONSOLE_SECOND_FACTOR", secondFactor, "required or off"],
  ["FRONTEND_URL", frontendUrl, "a URL such as https://one.example/account"],
  [
    "EVENTS_URL",
    eventAddresses,
    "up to three addresses that begin with https://, or on this machine, without user name, password " +
    "or fragment",
  ],
  ["DEFAULT_COUNTRY", nationalCountry, "an ISO 3166-1 alpha-2 country code such as IN"],
];

/**
 * Checks those of the options that are set. The functions' variables have to be set before, in the
 * environment of this process.
 *
 * @throws {TaskError} that names the first invalid one.
 */
export function checkOptions(options: Readonly<Record<string, string>>): void {
  for (const [name, read, rule] of RULES) {
    const value = options[name];
    if (value === undefined) continue;
    try {
      read();
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      // A password that somebody has put into an address is not for the screen.
      const shown = value.replaceAll(/\/\/[^/\s]*@/g, "//...@");
      throw new TaskError(`${name} must be ${rule}, not "${shown}".`);
    }
  }
}

function originOfConsole(): void {
  if (consoleOrigin() === undefined) throw new ConfigurationError("not an origin");
}

/** A browser sends an origin in exactly this form, and it is compared as text. */
function origins(): void {
  const isOrigin = (text: string) => text === "*" || URL.parse(text)?.origin === text;
  if (!allowedOrigins().every(isOrigin)) throw new ConfigurationError("not an origin");
}
