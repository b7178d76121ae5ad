/**
 * Keeps web pages out: a browser on this machine reaches the stand-in as well as a test does.
 * @module
 */

import type { IncomingMessage } from "node:http";
import { isLoopbackHost, isLoopbackUrl } from "../system/loopback.ts";
import { isPagePath } from "./payment-page.ts";
import { type RazorpayError, refused } from "./errors.ts";

/**
 * Returns why a request is refused, before anything else is looked at, or undefined.
 *
 * The control routes need no key, so their caller must not be a foreign page; a page of this machine
 * may play the customer too. A request that changes something has to be declared as JSON. A browser
 * lets a foreign page do that only after a preflight request, which is never granted.
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
  if (!isControl && !isPagePath(url.pathname)) return undefined;
  if (origin !== undefined && !isLoopbackUrl(origin)) {
    return refused(403, "Pages of other origins must not use this.");
  }
  // The form of a payment link's page. A browser always names the origin of what it posts.
  if (!isControl) return undefined;
  const isChange = method === "POST" || method === "PATCH";
  if (isChange && !/^application\/json *(;|$)/i.test(type)) {
    return refused(415, "A control route takes a body of the type application/json.");
  }
  return undefined;
}
