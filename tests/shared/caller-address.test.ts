/**
 * The address that limits count a caller by: one for each caller, and not of the caller's choosing.
 * @module
 */

import { strictEqual } from "node:assert/strict";
import { callerAddress } from "shared/auth/caller-address.ts";
import { withEnvironment } from "../support/environment.ts";

const HOSTED = "https://abcdefghijklmnopqrst.supabase.co";
const SELF_HOSTED = "http://kong:8000";

async function addressAt(url: string, headers: Record<string, string>): Promise<string> {
  return await withEnvironment(
    { SUPABASE_URL: url },
    () => Promise.resolve(callerAddress(new Headers(headers))),
  );
}

const forwarded = (address: string) => addressAt(SELF_HOSTED, { "x-forwarded-for": address });

Deno.test.each([
  ["203.0.113.7", "203.0.113.7"],
  [" 203.0.113.7 ", "203.0.113.7"],
  ["203.0.113.7:51234", "203.0.113.7"],
  ["203.000.113.007", "203.0.113.7"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["::FFFF:cb00:7107", "203.0.113.7"],
  ["198.51.100.1, 203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
  ["2001:0DB8:0001:0002:0:0:0:1", "2001:db8:1:2::/64"],
  ["2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
  ["[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8:0:1::1", "2001:db8:0:1::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
])("the caller %s is %s", async (written, address) => {
  strictEqual(await forwarded(written), address);
});

Deno.test.each([
  "",
  ",",
  "unknown",
  "203.0.113.256",
  "203.0.113",
  "0x7f.1",
  "2130706433",
  "fe80::1%eth0",
  "1::2::3",
  "[::1",
  "::1]/[",
  "example.com",
  "example.com:80",
  "x".repeat(8_000),
  ":".repeat(8_000),
])("what is no address is nobody's own: %s", async (written) => {
  strictEqual(await forwarded(written), "unknown");
});

Deno.test("one network of IPv6 addresses is one caller", async () => {
  const addresses = new Set<string>();
  for (let host = 1; host <= 200; host++) {
    addresses.add(await forwarded(`2001:db8:1:2:${host.toString(16)}::${host.toString(16)}`));
  }
  strictEqual(addresses.size, 1);
});

Deno.test("cf-connecting-ip is believed where the platform sets it, and nowhere else", async () => {
  const headers = { "cf-connecting-ip": "198.51.100.1", "x-forwarded-for": "203.0.113.7" };
  strictEqual(await addressAt(HOSTED, headers), "198.51.100.1");
  for (
    const url of [
      SELF_HOSTED,
      "https://supabase.example.com",
      "https://project.supabase.co.example.com",
      "http://project.supabase.co",
      "http://127.0.0.1:54321",
    ]
  ) {
    strictEqual(await addressAt(url, headers), "203.0.113.7");
  }
});
