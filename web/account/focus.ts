/**
 * Where the focus may be moved.
 * @module
 */

/**
 * Returns whether the focus is where one buys, or was lost with what had it. Somebody who has gone on to
 * another part of the page is left there.
 */
export function isAtPurchase(): boolean {
  const { activeElement } = document;
  return activeElement === document.body || activeElement?.closest(".buy") != null;
}
