/**
 * Keeps web pages out: a browser on this machine reaches the stand-in as well as a test does.
 * @module
 */

import type { IncomingMessage } from "node:http";
import { isLoopbackHost, isLoopbackUrl } from "../system/loopback.ts";
import { HOSTED_PATH, PAY_PATH } from "./checkout-window.ts";
import { isPagePath } from "./payment-page.ts";
import { type RazorpayError, refused } from "./errors.ts";

/**
 * Returns why a request is refused, before anything else is looked at, or undefined.
 *
 * The control routes need no key, so their caller must not be a foreign page; a page of this machine
 * may play the customer too. A request that changes something has to be declared as JSON. A browser
 * lets a foreign page do that only after a preflight request, which is never granted.
 *
 * A page of this machine may open Checkout's window, and the window alone may pay.
 */
export function refusalOf(
  { method, headers, url }: {
    readonly method: string;
    readonly headers: IncomingMessage["headers"];
    readonly url: URL;
  },
): RazorpayError | undefined {
  const { host, origin, "content-type": type = "" } = headers;
  if (!isLoopbackHost(host)) return refused(421, "This stand-in serves this machine only.");
  const isControl = url.pathname.startsWith("/_control/");
  const isPay = url.pathname === PAY_PATH;
  const isForm = isPagePath(url.pathname) || url.pathname === HOSTED_PATH;
  if (!isControl && !isPay && !isForm) return undefined;
  // A browser always names the origin of what it posts.
  const isForeign = isPay
    ? origin !== `http://${host}`
    : origin !== undefined && !isLoopbackUrl(origin);
  if (isForeign) return refused(403, "Pages of other origins must not use this.");
  if (isForm) return undefined;
  const isChange = method === "POST" || method === "PATCH";
  if (isChange && !/^application\/json *(;|$)/i.test(type)) {
    return refused(415, "This route takes a body of the type application/json.");
  }
  return undefined;
}
