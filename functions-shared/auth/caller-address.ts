/**
 * The network address of a caller, used for rate limits only. Where no proxy sets these headers, a
 * caller can forge them, so no limit relies on the address alone and nothing else uses it.
 * @module
 */

import { isHostedProject } from "shared/environment.ts";

/**
 * Returns the address that the platform's edge saw, or where there is none, the one that the last
 * proxy saw. `unknown`, which all such callers share, if that is not an address.
 *
 * Only the hosted platform removes a `cf-connecting-ip` that the caller made up; anywhere else it is
 * ignored, and whatever proxy stands in front appends the true address to `x-forwarded-for`.
 *
 * Each address has one spelling. An IPv6 address is reduced to its /64 network, the smallest range that
 * a provider gives to one customer.
 */
export function callerAddress(headers: Headers): string {
  const edge = isHostedProject() ? headers.get("cf-connecting-ip") : null;
  const lastHop = headers.get("x-forwarded-for")?.split(",").at(-1);
  const address = (edge ?? lastHop ?? "").trim();
  return ipv4(address) ?? ipv6Network(address) ?? "unknown";
}

/** The address without a port. */
function ipv4(address: string): string | undefined {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?::\d+)?$/.exec(address)?.slice(1);
  return octets?.every((octet) => Number(octet) < 256) ? octets.map(Number).join(".") : undefined;
}

function ipv6Network(address: string): string | undefined {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(address)?.[1] ?? address;
  const hostname = /^[0-9a-f:.]+$/i.test(bare)
    ? URL.parse(`http://[${bare}]`)?.hostname
    : undefined;
  if (hostname === undefined) return undefined;
  // The URL has lower case and no leading zeros; an IPv4 address at the end has become two groups.
  const [before = [], after = []] = hostname.slice(1, -1).split("::")
    .map((part) => part === "" ? [] : part.split(":"));
  const groups = [...before, ...Array(8 - before.length - after.length).fill("0"), ...after];
  const [high = "", low = ""] = groups.slice(6);
  if (groups.slice(0, 6).join(":") === "0:0:0:0:0:ffff") return mappedIpv4(high, low);
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** An IPv4 address written as an IPv6 one, `::ffff:a.b.c.d`, is the IPv4 address. */
function mappedIpv4(...groups: string[]): string {
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  }).join(".");
}
