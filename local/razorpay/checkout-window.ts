/**
 * Checkout in a browser: a checkout.js of the stand-in's own, the window that it opens, and what the
 * window's buttons do. The scripts and styles are in `browser/`, and are served as they are.
 *
 * Only the window pays. It is a page of the stand-in's own origin, and guard.ts keeps all others from
 * the route that its buttons call.
 * @module
 */

import { z } from "zod";
import type { Account } from "./account.ts";
import { beginPayment, checkoutResult, checkPayable, payOrder } from "./checkout.ts";
import type { Order, Payment } from "./entities.ts";
import { authenticationFailed, badRequest, RazorpayError } from "./errors.ts";
import { errorReply, htmlReply, jsonReply, type Reply } from "./reply.ts";

/** The path of the script that a page loads. */
export const CHECKOUT_SCRIPT_PATH = "/v1/checkout.js";
/** A form of the seller's page that leaves that page for the window. */
export const HOSTED_PATH = "/v1/checkout/hosted";
/** What the window's buttons call. */
export const PAY_PATH = "/v1/checkout/pay";
const WINDOW_PATH = "/v1/checkout/window";

const FILES: Readonly<Record<string, Pick<Reply, "type"> & { readonly file: string }>> = {
  [CHECKOUT_SCRIPT_PATH]: { type: "text/javascript", file: "checkout.js" },
  "/v1/checkout/window.js": { type: "text/javascript", file: "window.js" },
  "/v1/checkout/window.css": { type: "text/css", file: "window.css" },
};

const OF_THIS_MACHINE =
  "http://127.0.0.1:* http://localhost:* https://127.0.0.1:* https://localhost:*";
const WINDOW_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'";

/** What checkout.js sends of a page's options when it leaves that page. */
const hostedOptions = z.strictObject({
  name: z.string(),
  description: z.string(),
  contact: z.string(),
  color: z.string(),
  retry: z.boolean(),
  timeout_seconds: z.number(),
  confirm_close: z.boolean(),
  escape: z.boolean(),
  backdropclose: z.boolean(),
  callback_url: z.url({ protocol: /^https?$/ }),
});

const payBody = z.strictObject({
  key_id: z.string(),
  order_id: z.string(),
  outcome: z.enum(["captured", "failed", "late_authorized"]),
  contact: z.string().optional(),
});

/** A request for the script, the window, or of one of its buttons. */
interface CheckoutRequest {
  readonly method: string;
  readonly url: URL;
  readonly body: string;
}

/** Whether a path is one of Checkout in a browser, and not one of the API. */
export function isCheckoutPath(path: string): boolean {
  return path in FILES || path === WINDOW_PATH || path === HOSTED_PATH || path === PAY_PATH;
}

/**
 * Returns what a page's Content-Security-Policy has to allow for Checkout, by directive. A page that
 * passes `callback_url` without `handler` also has to allow that URL in `form-action`.
 *
 * @param url The stand-in's base URL.
 */
export function checkoutSources(
  url: string,
): Readonly<Record<"script-src" | "frame-src" | "form-action", string>> {
  const { origin } = new URL(url);
  return { "script-src": origin, "frame-src": origin, "form-action": origin };
}

/** Serves the script and the window, and carries out what a button of the window says. */
export async function respondAsCheckout(
  account: Account,
  { method, url, body }: CheckoutRequest,
): Promise<Reply> {
  const { pathname, searchParams } = url;
  const isPost = pathname === HOSTED_PATH || pathname === PAY_PATH;
  if (method !== (isPost ? "POST" : "GET")) {
    return errorReply(badRequest(`${pathname} does not take ${method}`));
  }
  const file = FILES[pathname];
  if (file !== undefined) {
    const text = await Deno.readTextFile(new URL(`browser/${file.file}`, import.meta.url));
    return { status: 200, type: file.type, text };
  }
  try {
    if (pathname === PAY_PATH) return jsonReply(200, await pay(account, body));
    return pathname === HOSTED_PATH ? hostedWindow(account, body) : frame(account, searchParams);
  } catch (error) {
    if (error instanceof RazorpayError) return errorReply(error);
    throw error;
  }
}

/** The window in a frame. Its page sends it the options. */
function frame(account: Account, query: URLSearchParams): Reply {
  return htmlReply(
    200,
    document(start(account, query), null),
    `${WINDOW_POLICY}; form-action 'none'; frame-ancestors ${OF_THIS_MACHINE}`,
  );
}

/**
 * The window instead of the seller's page. The policy leaves `form-action` open: browsers also hold it
 * against the addresses that `callback_url` redirects to.
 */
function hostedWindow(account: Account, body: string): Reply {
  const form = new URLSearchParams(body);
  const options = parseJson(hostedOptions, form.get("options") ?? "");
  return htmlReply(
    200,
    document(start(account, form), options),
    `${WINDOW_POLICY}; frame-ancestors 'none'`,
  );
}

/** What the window shows first: the price of an order that can be paid, or why it cannot be paid. */
function start(account: Account, fields: URLSearchParams) {
  const key_id = fields.get("key_id") ?? "";
  const order_id = fields.get("order_id") ?? "";
  try {
    const { amount_due, currency } = payableOrder(account, key_id, order_id);
    return { key_id, order_id, order: { amount: amount_due, currency }, error: null };
  } catch (error) {
    if (!(error instanceof RazorpayError)) throw error;
    return { key_id, order_id, order: null, error: error.details };
  }
}

/** @throws {RazorpayError} 401 for another account's key; 400 if there is no such order to pay. */
function payableOrder(account: Account, keyId: string, orderId: string): Order {
  if (keyId !== account.keyId) throw authenticationFailed();
  const order = account.order(orderId);
  checkPayable(account, order, undefined);
  return order;
}

/** Pays as the control route of an order does, and returns what Checkout hands to the page. */
async function pay(account: Account, body: string): Promise<unknown> {
  const { key_id, order_id, outcome, contact } = parseJson(payBody, body);
  const order = payableOrder(account, key_id, order_id);
  if (outcome === "late_authorized") {
    approveLater(account, order, beginPayment(account, order, { contact }))
      .catch((error) => console.error("The Razorpay stand-in could not approve a payment:", error));
    await account.save();
    return {};
  }
  const payment = account.webhooks.batch(
    true,
    () => payOrder(account, order, { outcome, contact }),
  );
  await account.save();
  return checkoutResult(account, payment);
}

/** The bank says yes after the customer has left. Only the webhook, or a question, tells of it. */
async function approveLater(account: Account, order: Order, payment: Payment): Promise<void> {
  const isRunning = await account.pause(account.settings.late_approval_ms);
  // A control route may have decided it meanwhile.
  if (!isRunning || payment.status !== "created") return;
  account.webhooks.batch(true, () => {
    payOrder(account, order, { payment_id: payment.id, outcome: "late_authorized" });
  });
  await account.save();
}

function parseJson<Parsed>(schema: z.ZodType<Parsed>, text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badRequest("This is not valid JSON.");
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw badRequest(z.prettifyError(parsed.error));
  return parsed.data;
}

function document(
  start: Record<string, unknown>,
  options: z.infer<typeof hostedOptions> | null,
): string {
  // Nothing in it may end the element.
  const data = JSON.stringify({ ...start, options }).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en"${options === null ? "" : " data-hosted"}>
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Checkout (stand-in for Razorpay)</title>
    <link rel="stylesheet" href="/v1/checkout/window.css">
    <script type="application/json" id="start">${data}</script>
    <script defer src="/v1/checkout/window.js"></script>
  </head>
  <body>
    <main id="window" hidden>
      <p id="stand-in">Stand-in for Razorpay: no real money</p>
      <h1 id="seller">Checkout</h1>
      <p id="description"></p>
      <p id="amount"></p>
      <p id="contact"></p>
      <p id="problem" role="alert"></p>
      <p id="progress" role="status"></p>
      <div id="choices" hidden>
        <button type="button" id="pay" aria-describedby="pay-hint">Pay</button>
        <p class="hint" id="pay-hint">The bank says yes.</p>
        <button type="button" id="fail" aria-describedby="fail-hint">Fail</button>
        <p class="hint" id="fail-hint">The bank says no.</p>
        <button type="button" id="later" aria-describedby="later-hint">Pay later</button>
        <p class="hint" id="later-hint">This closes, and the bank says yes some seconds later.</p>
      </div>
      <button type="button" id="leave">Leave</button>
    </main>
    <dialog id="confirmation" aria-labelledby="question">
      <p id="question">Do you want to leave without paying?</p>
      <p><button type="button" id="confirm">Yes, leave</button></p>
      <p><button type="button" id="stay">No, stay</button></p>
    </dialog>
  </body>
</html>
`;
}
