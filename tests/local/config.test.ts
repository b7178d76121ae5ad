/**
 * The settings that `supabase config push` would set on a hosted project, where a session counts as
 * proof of its phone number.
 * @module
 */

import { deepStrictEqual, doesNotMatch, match } from "node:assert/strict";
import { join } from "node:path";
import { drift } from "../../local/rehearse-deploy/lock-drift.ts";
import { REPOSITORY } from "../../local/system/settings.ts";

const config = await Deno.readTextFile(join(REPOSITORY, "supabase", "config.toml"));

/** The lines of a section, without comments. */
function section(name: string): string {
  const [, after = ""] = config.split(`\n[${name}]\n`);
  return after.split(/\n\[/, 1).join().replaceAll(/^#.*$/gm, "");
}

Deno.test("nobody gets a session for a phone number that they have not confirmed", () => {
  match(section("auth.sms"), /^enable_confirmations = true$/m);
  doesNotMatch(config, /test_otp\s*[\]=]/);
  match(section("auth"), /^enable_anonymous_sign_ins = false$/m);
});

Deno.test("one number cannot be sent codes without end", () => {
  match(section("auth.sms"), /^max_frequency = "[1-9][0-9]*m"$/m);
});

Deno.test("PostgreSQL's programs are installed in one version, checked, without running anything", async () => {
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(join(REPOSITORY, path)));
  const { packages } = await read("local/postgres/programs/package-lock.json");
  const { "": root, ...locked } = packages;
  const asked = (await read("local/postgres/programs/package.json")).optionalDependencies;
  deepStrictEqual(root.optionalDependencies, asked);
  deepStrictEqual(
    Object.keys(locked),
    Object.keys(asked).map((name) => `node_modules/${name}`),
  );
  for (const [path, { version, integrity }] of Object.entries<Record<string, string>>(locked)) {
    deepStrictEqual(version, asked[path.replace("node_modules/", "")]);
    match(version ?? "", /^[0-9]/);
    match(integrity ?? "", /^sha512-[A-Za-z0-9+/]{86}==$/);
  }
  match((await read("deno.json")).tasks["install-postgres"], /^npm ci .*--ignore-scripts /);
});

Deno.test("a package of another version or with another checksum is not the locked one", () => {
  const locked = { npm: { "a@1.0.0": { integrity: "sha512-a" }, "b@1.0.0": { integrity: "x" } } };
  deepStrictEqual(drift({ npm: { "a@1.0.0": { integrity: "sha512-a" } } }, locked), []);
  deepStrictEqual(
    drift({ npm: { "a@1.0.1": { integrity: "n" }, "b@1.0.0": { integrity: "y" } } }, locked),
    ["a@1.0.1", "b@1.0.0"],
  );
});
