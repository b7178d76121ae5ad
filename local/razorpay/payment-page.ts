/**
 * The page of a payment link, with a button for each way that a payment can end. It works without
 * scripts, and says that it is a stand-in.
 *
 * Razorpay's own page is at https://rzp.io/rzp/..., and asks for a method of payment.
 * @module
 */

import type { Account } from "./account.ts";
import { payPaymentLink } from "./checkout.ts";
import type { PaymentLink } from "./entities.ts";
import { RazorpayError } from "./errors.ts";
import { paymentLinkById } from "./payment-links.ts";
import { htmlReply, type Reply } from "./reply.ts";

const PATH = /^\/rzp\/([A-Za-z0-9]+)$/;

/** What the buttons send as `outcome`. */
const OUTCOMES = ["captured", "failed"] as const;

/** A request for a page. */
interface PageRequest {
  readonly method: string;
  readonly url: URL;
  readonly body: string;
}

/** Whether a path is that of a page. */
export function isPagePath(path: string): boolean {
  return PATH.test(path);
}

/** Shows the page, or does what a button on it says and sends the browser back to it. */
export function respondAsPage(account: Account, { method, url, body }: PageRequest): Reply {
  const link = linkAt(account, url.pathname);
  if (link === undefined) return notice(404, "There is no such payment link.");
  if (method === "GET") return page(account, link);
  if (method !== "POST") return notice(405, "This page can be opened, and its buttons pressed.");

  const chosen = new URLSearchParams(body).get("outcome");
  const outcome = OUTCOMES.find((outcome) => outcome === chosen);
  if (outcome === undefined) return notice(400, "This page has no such button.");
  try {
    account.webhooks.batch(true, () => payPaymentLink(account, link, { outcome }));
  } catch (error) {
    // Paid or expired since the page was opened, as it now says.
    if (!(error instanceof RazorpayError)) throw error;
  }
  return { status: 303, type: "text/html", text: "", headers: { Location: url.pathname } };
}

/** The address may have had another port when the link was made. */
function linkAt(account: Account, path: string): PaymentLink | undefined {
  const link = account.state.paymentLinks.values()
    .find(({ short_url }) => new URL(short_url).pathname === path);
  return link && paymentLinkById(account, link.id);
}

function page(account: Account, link: PaymentLink): Reply {
  const due = rupees(link.amount - link.amount_paid);
  return html(
    200,
    `<h1>${escaped(link.description || "Payment")}</h1>
    ${status(account, link)}
    ${
      isOpen(link)
        ? `<form method="post">
      <button name="outcome" value="captured">Pay ${due}</button>
      <button name="outcome" value="failed">Fail</button>
    </form>`
        : ""
    }`,
  );
}

function status(account: Account, link: PaymentLink): string {
  if (link.status === "paid") {
    return `<p role="status">${rupees(link.amount)} are paid. You can go back to the chat.</p>`;
  }
  if (!isOpen(link)) return `<p role="status">This payment link is ${link.status}.</p>`;
  const order = link.order_id === null ? undefined : account.order(link.order_id);
  const [latest] = order ? account.paymentsOf(order) : [];
  return latest?.status === "failed"
    ? '<p role="alert">The payment failed. You can try again.</p>'
    : "";
}

function isOpen({ status }: PaymentLink): boolean {
  return status === "created" || status === "partially_paid";
}

function notice(status: number, sentence: string): Reply {
  return html(status, `<h1>${sentence}</h1>`);
}

function rupees(paise: number): string {
  return new Intl.NumberFormat("en-IN", {
    style: "currency",
    currency: "INR",
    trailingZeroDisplay: "stripIfInteger",
  }).format(paise / 100);
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function html(status: number, content: string): Reply {
  return htmlReply(
    status,
    `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Payment link (stand-in for Razorpay)</title>
    <style>
      body { font: 1.125rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 2rem auto; padding: 0 1rem; }
      button { font: inherit; min-height: 44px; padding: 0 1.5rem; margin-right: 0.5rem; }
    </style>
  </head>
  <body>
    <p>This is a stand-in for Razorpay. No money moves.</p>
    ${content}
  </body>
</html>
`,
  );
}
