/**
 * The two pages of the product: what each is, and how large it may become.
 * @module
 */

/** The pages: folders of `web/`, and of what is built. */
export const PAGES = ["account", "console"] as const;

/** The name of a page. */
export type PageName = typeof PAGES[number];

/** What the pages learn of the project that they belong to: `config.json`, which anybody may read. */
export interface PageConfiguration {
  /** Address of the Supabase project, without a path. */
  readonly supabase_url: string;
  readonly publishable_key: string;
  /** Who sells, as Checkout and the pages say it. */
  readonly seller_name: string;
  /** Where Razorpay's Checkout is loaded from. */
  readonly checkout_url: string;
  /** The bot's number in E.164, for a link back to the chat. */
  readonly bot_number?: string;
}

/** Where Razorpay serves Checkout. */
export const CHECKOUT_URL = "https://checkout.razorpay.com/v1/checkout.js";

/** The most that a visitor loads before anything is bought, compressed: document, script and style. */
export const BUDGET_BYTES: Readonly<Record<PageName, number>> = {
  account: 20 * 1024,
  console: 60 * 1024,
};
