/**
 * `deno task pages [--config <file>]`: builds both pages into `web/dist/`, for any static host.
 *
 * The configuration is a JSON file with the fields of `PageConfiguration`. Without one, the pages are
 * those of the embedded stack on this machine.
 * @module
 */

import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { buildPage, compressedSize, writePage } from "../pages/build.ts";
import { parseConfiguration } from "../pages/configuration.ts";
import { BUDGET_BYTES, type PageConfiguration, PAGES } from "../pages/pages.ts";
import { pageConfiguration } from "../stack/pages.ts";
import { loadSecrets } from "../stack/secrets.ts";
import { makeLocalFolder } from "../system/local-folder.ts";
import { readSettings, REPOSITORY } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";

await runTask(async () => {
  const { values } = parseArgs({ args: Deno.args, options: { config: { type: "string" } } });
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
