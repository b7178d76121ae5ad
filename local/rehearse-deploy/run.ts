/**
 * `deno task rehearse-deploy`: rehearses a deployment. The real Supabase CLI deploys the functions
 * to a stand-in for the Management API, and what it uploaded must work on its own, as on the
 * hosted platform.
 *
 * The uploaded files of each function are written to an empty folder. The function is started there
 * on its own, on the hosted version of Deno and with the variables that the platform sets. It plays
 * its part of one customer's story in front of a real backend, an embedded stack.
 * @module
 */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { REPOSITORY } from "../system/settings.ts";
import { interrupted, runTask, TaskError } from "../system/task.ts";
import {
  commonExchanges,
  type Envelope,
  envelope,
  type Exchange,
  type Rehearsal,
  REHEARSALS,
} from "./answers.ts";
import { type RehearsalBackend, startRehearsalBackend } from "./backend.ts";
import { deployFunctions } from "./deploy.ts";
import {
  boot,
  type BootedFunction,
  estimateBundleBytes,
  findHostedRuntime,
  type HostedRuntime,
  layOut,
  resolveImports,
} from "./hosted-runtime.ts";
import { findLockDrift } from "./lock-drift.ts";
import { startManagementApi, type UploadedFunction } from "./management-api.ts";
import {
  checkNames,
  checkUpload,
  configuredFunctions,
  MAX_BUNDLE_BYTES,
  uploadedBytes,
} from "./upload-rules.ts";

/** What the rehearsal of one function needs besides the function. */
interface Stage {
  readonly runtime: HostedRuntime;
  readonly backend: RehearsalBackend;
  /** An empty folder, with nothing of the repository above it. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

await runTask(async () => {
  const interruption = new AbortController();
  interrupted().then(() => interruption.abort());
  try {
    await rehearse(interruption.signal);
  } catch (error) {
    throw interruption.signal.aborted ? new TaskError("Interrupted.") : error;
  }
});

async function rehearse(signal: AbortSignal): Promise<void> {
  await using cleanUp = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "rehearse-deploy-" });
  cleanUp.defer(() => Deno.remove(folder, { recursive: true }));

  const uploads = await deploy(join(folder, "cli"), signal);
  console.log(`The Supabase CLI deployed ${uploads.size} functions.`);
  const runtime = await findHostedRuntime(signal);
  const backend = cleanUp.use(await startRehearsalBackend(join(folder, "backend")));
  console.log(
    `They run on Deno ${runtime.version}, in front of ${backend.variables.SUPABASE_URL}.`,
  );

  for (const rehearsal of REHEARSALS) {
    const upload = uploads.get(rehearsal.slug);
    assert(upload, "checkNames has compared the names.");
    const stage = { runtime, backend, folder: join(folder, rehearsal.slug), signal };
    await rehearseFunction(rehearsal, upload, stage);
  }
  console.log("Every deployed function works on its own.");
  const packages = await findLockDrift(
    runtime,
    [...uploads.values()],
    join(folder, "lock"),
    signal,
  );
  // Not an error: a release of somebody else's package is no fault of this repository.
  console.log(
    packages.length === 0
      ? "The platform would bundle the packages of deno.lock."
      : `WARNING: the platform would now bundle packages that are not in deno.lock: ` +
        `${packages.join(", ")}. Update the lock file and run the tests before you deploy.`,
  );
}

/** Deploys with the CLI, checks the uploads against the rules, and returns them by slug. */
async function deploy(
  folder: string,
  signal: AbortSignal,
): Promise<Map<string, UploadedFunction>> {
  // In the format of real ones: 20 lower-case letters, and 40 hexadecimal digits.
  const projectRef = "rehearsaldeployments";
  const accessToken = `sbp_${randomBytes(20).toString("hex")}`;
  await using api = startManagementApi(projectRef, accessToken);
  await deployFunctions({ apiUrl: api.url, projectRef, accessToken }, folder, signal);

  if (api.unknownRequests.length > 0) {
    const requests = api.unknownRequests.join(", ");
    throw new TaskError(
      `The Supabase CLI sent requests that the stand-in does not know: ${requests}.`,
    );
  }
  const configToml = await Deno.readTextFile(join(REPOSITORY, "supabase", "config.toml"));
  checkNames({
    configured: configuredFunctions(configToml),
    deployed: api.deployed,
    rehearsed: new Set(REHEARSALS.map(({ slug }) => slug)),
  });
  for (const upload of api.uploads.values()) checkUpload(upload);
  return api.uploads;
}

async function rehearseFunction(
  rehearsal: Rehearsal,
  upload: UploadedFunction,
  { runtime, backend, folder, signal }: Stage,
): Promise<void> {
  await layOut(upload, folder);
  const graph = await resolveImports(runtime, upload, folder, signal);
  for (const name of rehearsal.withoutPackages ?? []) {
    if (graph.npmPackages.some((npmPackage) => npmPackage.startsWith(`${name}@`))) {
      throw new TaskError(`${upload.slug} can load ${name}, which it does not need.`);
    }
  }
  const bundleBytes = await estimateBundleBytes(runtime, upload, graph);
  if (bundleBytes > MAX_BUNDLE_BYTES) {
    const [size, limit] = [kilobytes(bundleBytes), kilobytes(MAX_BUNDLE_BYTES)];
    throw new TaskError(
      `The bundle of ${upload.slug} has about ${size}, but the platform's limit is ${limit}.`,
    );
  }
  await using booted = await boot(runtime, upload, folder, backend.variables, signal);
  console.log(
    `\n${upload.slug}: ${upload.files.size} files, ${kilobytes(uploadedBytes(upload))}, ` +
      `bundle about ${kilobytes(bundleBytes)}, started in ${Math.round(booted.bootMs)} ms`,
  );
  const exchanges = await rehearsal.exchanges(backend.story);
  for (const exchange of [...commonExchanges(rehearsal), ...exchanges]) {
    await play(upload.slug, exchange, booted, signal);
  }
}

/** Sends one request as the platform's gateway would forward it, and checks the response. */
async function play(
  slug: string,
  { method, path = "", headers = {}, body, form, answer, keep }: Exchange,
  { url, log }: BootedFunction,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(`${url}/${slug}${path}`, {
    method,
    headers: body ? { ...headers, "content-type": "application/json" } : headers,
    body: body ? JSON.stringify(body) : form ? new URLSearchParams(form) : null,
    redirect: "manual",
    signal,
  });
  const request = `${method} /${slug}${path}${body ? ` ${JSON.stringify(body)}` : ""}`;
  const received = readEnvelope(await response.text());
  console.log(`  ${request} -> ${response.status} ${received?.message ?? ""}`.trimEnd());
  const actual = {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: received,
  };
  try {
    assert.partialDeepStrictEqual(actual, answer);
  } catch (error) {
    if (!(error instanceof assert.AssertionError)) throw error;
    throw new TaskError(
      `The answer to ${request} violates the contract.\n` +
        `  expected at least: ${JSON.stringify(answer)}\n` +
        `  received: ${JSON.stringify(actual)}\n` +
        `  the function's log:\n${log()}`,
    );
  }
  keep?.(received?.data ?? {});
}

/** The response to `OPTIONS` is empty, and so is a redirect. */
function readEnvelope(text: string): Envelope | undefined {
  if (text === "") return undefined;
  try {
    return envelope.parse(JSON.parse(text));
  } catch {
    throw new TaskError(`An answer does not have this API's envelope: ${text}`);
  }
}

function kilobytes(bytes: number): string {
  return `${Math.ceil(bytes / 1000)} kB`;
}
