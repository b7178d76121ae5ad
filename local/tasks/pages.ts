/**
 * `deno task pages [--config <file>]`: builds both pages into `web/dist/`, for any static host.
 *
 * The configuration is a JSON file with the fields of `PageConfiguration`. Without one, the pages are
 * those of the embedded stack on this machine.
 *
 * `deno task pages screenshots [<state> ...]` shows them in every state on a stack of its own, and
 * writes what a browser shows to `web/dist/screenshots/`. A state is the beginning of a file's name.
 * @module
 */

import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { buildPage, compressedSize, writePage } from "../pages/build.ts";
import { parseConfiguration } from "../pages/configuration.ts";
import { BUDGET_BYTES, type PageConfiguration, PAGES } from "../pages/pages.ts";
import { pageConfiguration } from "../stack/pages.ts";
import { takeScreenshots } from "../screenshots/take.ts";
import { loadSecrets } from "../stack/secrets.ts";
import { withTemporaryStack } from "../stack/temporary.ts";
import { makeLocalFolder } from "../system/local-folder.ts";
import { parseSettings, readSettings, REPOSITORY } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";

await runTask(async () => {
  const { values, positionals: [command, ...states] } = parseArgs({
    args: Deno.args,
    options: { config: { type: "string" } },
    allowPositionals: true,
  });
  if (command === "screenshots") return await screenshots(states);
  if (command !== undefined) throw new TaskError(`There is no "deno task pages ${command}".`);
  const configuration = values.config === undefined
    ? await configurationOfStack()
    : parseConfiguration(await Deno.readTextFile(values.config));
  console.log(`Pages of ${configuration.supabase_url}`);
  for (const page of PAGES) {
    const files = await buildPage(page, configuration);
    const folder = join(REPOSITORY, "web/dist", page);
    await writePage(files, folder);
    const [size, budget] = [compressedSize(files), BUDGET_BYTES[page]];
    const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`;
    console.log(
      `${relative(REPOSITORY, folder)}: ${kilobytes(size)} compressed, of ${
        kilobytes(budget)
      } at most`,
    );
    if (size > budget) throw new TaskError(`The ${page} page is larger than it may be.`);
  }
});

async function configurationOfStack(): Promise<PageConfiguration> {
  const settings = readSettings();
  await makeLocalFolder(settings.localDir);
  const { publishableKey } = await loadSecrets(settings.localDir);
  return pageConfiguration({
    SUPABASE_URL: `http://127.0.0.1:${settings.apiPort}`,
    SUPABASE_PUBLISHABLE_KEY: settings.supabase?.publishableKey ?? publishableKey,
    RAZORPAY_API_URL: settings.razorpay?.apiUrl ?? `http://127.0.0.1:${settings.razorpayPort}`,
  });
}

async function screenshots(states: readonly string[]): Promise<void> {
  // The functions run in this process, and would log between the names of the files.
  console.info = () => {};
  const folder = join(REPOSITORY, "web/dist/screenshots");
  await withTemporaryStack(parseSettings({}), async (stack) => {
    await takeScreenshots(stack, folder, states, (file) => {
      console.log(relative(REPOSITORY, file));
    });
  });
  Deno.exit(0);
}
