/**
 * Runs a module with `export default { fetch }` in a process of its own, under `deno serve`.
 * @module
 */

import { fileURLToPath } from "node:url";
import { REPOSITORY } from "../system/settings.ts";

/** A module that is being served. Disposing of it kills the process. */
interface ServedModule extends AsyncDisposable {
  /** Without a trailing slash. */
  readonly url: string;
}

/** Starts the process and resolves once it is listening. */
export async function serveModule(
  module: URL,
  variables: Record<string, string>,
): Promise<ServedModule> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "serve",
      "--allow-all",
      "--no-check",
      "--host=127.0.0.1",
      "--port=0",
      fileURLToPath(module),
    ],
    cwd: REPOSITORY,
    env: { ...variables, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const output = process.stderr.pipeThrough(new TextDecoderStream());
  const url = await readAddress(output);
  // Later output has to be read, or the process would block on a full pipe.
  const drained = output.pipeTo(new WritableStream());
  return {
    url,
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await Promise.all([process.status, drained]);
    },
  };
}

async function readAddress(output: ReadableStream<string>): Promise<string> {
  const reader = output.getReader();
  let text = "";
  for (;;) {
    const part = await reader.read();
    if (part.done) throw new Error(`deno serve did not start:\n${text}`);
    text += part.value;
    const [address] = /http:\/\/127\.0\.0\.1:\d+(?=\/)/.exec(text) ?? [];
    if (address !== undefined) {
      reader.releaseLock();
      return address;
    }
  }
}
