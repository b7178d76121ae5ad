/**
 * Base64url without padding (RFC 4648, section 5), as tokens use it.
 * @module
 */

/** Encodes ASCII text. */
export function encodeBase64url(text: string): string {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @throws {DOMException} if the text is not base64url. */
export function decodeBase64url(text: string): string {
  return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
}
