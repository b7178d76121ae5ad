/**
 * What a server on 127.0.0.1 has to check about a request. A web page that a developer visits reaches
 * this machine too: directly, or under a host name of its own that it points to 127.0.0.1 (DNS
 * rebinding), which makes the page and this server one origin to the browser.
 * @module
 */

const HOSTNAMES = ["127.0.0.1", "localhost", "[::1]"];

/** Returns whether a `Host` header names this machine, with any port. */
export function isLoopbackHost(host: string | null | undefined): boolean {
  const [, hostname = "", port = "0"] = /^([^:]*|\[[^\]]*\])(?::([0-9]{1,5}))?$/.exec(host ?? "") ??
    [];
  return HOSTNAMES.includes(hostname.toLowerCase()) && Number(port) < 65536;
}

/** Returns whether a URL, or the value of an `Origin` header, is of this machine. */
export function isLoopbackUrl(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) &&
    HOSTNAMES.includes(parsed.hostname);
}
