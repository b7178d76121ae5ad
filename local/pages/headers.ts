/**
 * The headers that a page is served with. The build writes them into a `_headers` file, as Cloudflare
 * Pages, Netlify and GitLab Pages read it, and the embedded stack serves the page with what that file
 * says.
 * @module
 */

import { CHECKOUT_URL, type PageConfiguration, type PageName } from "./pages.ts";

/** Razorpay's Checkout loads from more hosts than it documents, and changes them without notice. */
const RAZORPAY = "https://*.razorpay.com";

/** Headers by the path that they apply to; a `*` stands for the rest of a path. */
export type HeaderRules = readonly (readonly [path: string, headers: Record<string, string>])[];

/** Returns the headers of a page of this project. */
export function headerRules(page: PageName, configuration: PageConfiguration): HeaderRules {
  return [
    ["/*", {
      "content-security-policy": policy(
        page === "account" ? accountSources(configuration) : consoleSources(configuration),
      ),
      // The addresses of the bot's links carry a token, though behind a "#".
      "referrer-policy": page === "account" ? "strict-origin" : "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }],
    // Each path by itself: where two rules name one header, Cloudflare Pages joins their values.
    ...["/", "/index.html", "/config.json"].map((path) =>
      [path, { "cache-control": "no-cache" }] as const
    ),
    // Their names change with their contents.
    ["/assets/*", { "cache-control": "public, max-age=31536000, immutable" }],
  ];
}

/** Formats rules as a `_headers` file. */
export function formatHeaders(rules: HeaderRules): string {
  return rules.map(([path, headers]) =>
    [path, ...Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`)].join("\n")
  ).join("\n\n") + "\n";
}

/** Parses a `_headers` file. */
export function parseHeaders(text: string): HeaderRules {
  return text.trim().split(/\n\n+/).map((rule) => {
    const [path = "", ...lines] = rule.split("\n");
    return [
      path,
      Object.fromEntries(
        lines.map((line) => line.trim().split(/:\s*(.*)/, 2)).map(([name, value]) => [name, value]),
      ),
    ];
  });
}

/**
 * Returns the headers for a path, as Cloudflare Pages does: where two rules name one header, it joins
 * their values with a comma.
 */
export function headersFor(rules: HeaderRules, path: string): Record<string, string> {
  const applying = rules.filter(([pattern]) =>
    pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern
  );
  const joined = new Headers();
  for (const [, headers] of applying) {
    for (const [name, value] of Object.entries(headers)) joined.append(name, value);
  }
  return Object.fromEntries(joined);
}

type Sources = Readonly<Record<string, readonly string[]>>;

function policy(sources: Sources): string {
  return Object.entries(sources).map(([name, values]) => [name, ...values].join(" ")).join("; ");
}

const NOTHING_ELSE: Sources = {
  "default-src": ["'none'"],
  "base-uri": ["'none'"],
  "frame-ancestors": ["'none'"],
};

function accountSources({ supabase_url, checkout_url }: PageConfiguration): Sources {
  const backend = new URL(supabase_url).origin;
  const razorpay = checkout_url === CHECKOUT_URL ? RAZORPAY : new URL(checkout_url).origin;
  return {
    ...NOTHING_ELSE,
    "script-src": ["'self'", razorpay],
    // Checkout gives its own elements inline styles.
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:", razorpay],
    "font-src": [razorpay],
    "connect-src": ["'self'", backend, razorpay],
    "frame-src": [razorpay],
    // Where Checkout leaves the page, it submits a form, which ends at payment-return.
    "form-action": ["'self'", backend, razorpay],
  };
}

function consoleSources({ supabase_url }: PageConfiguration): Sources {
  return {
    ...NOTHING_ELSE,
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    // The code that an authenticator app scans.
    "img-src": ["'self'", "data:"],
    "connect-src": ["'self'", new URL(supabase_url).origin],
    "form-action": ["'none'"],
    "require-trusted-types-for": ["'script'"],
  };
}
