/**
 * `deno task prove [part ...] [--size small|full|million]`: kills it, breaks it, drowns it, and shows the
 * figures. Without a part, all of them run, and write docs/proof.md.
 * @module
 */

import { runTask } from "../system/task.ts";
import { soak } from "./soak/part.ts";
import { kills } from "./kills/part.ts";

await runTask(async () => {
  const r = await (Deno.args[1] === "soak" ? soak : kills).run({
    size: Deno.args[0] as "small",
    progress: (s) => console.log(new Date().toISOString().slice(11, 19), s),
  });
  console.log(r);
  Deno.exit(r.holds ? 0 : 1);
});
