import { withProvedStack } from "./load/proved-stack.ts";
import { startLoad } from "./load/load.ts";
import { sendSignal } from "../system/processes.ts";
import { setTimeout as delay } from "node:timers/promises";
const log = (...a: unknown[]) => console.log(new Date().toISOString().slice(11, 23), ...a);
await withProvedStack(async (stack) => {
  log("started");
  const load = await startLoad(stack, {
    seed: 5,
    callers: 8,
    restMs: 20,
    cutRate: 0.01,
    forgottenAfterSeconds: 30,
  });
  log("loaded", load.journal.answered);
  for (let round = 0; round < 25; round++) {
    const before = load.journal.answered;
    const t = performance.now();
    while (load.journal.answered < before + 40) {
      load.throwIfFailed();
      await delay(50);
      if (performance.now() - t > 30000) {
        log("STALL");
        log(
          load.journal.entries.filter((e) => !e.answer && !e.isAbandoned).map((e) =>
            [e.kind, e.phone, JSON.stringify(e.call)].join(" ")
          ),
        );
        const r = await Promise.race([
          fetch(stack.environment.SUPABASE_URL + "/functions/v1/bot-credits/+919812345678", {
            headers: { "x-bot-secret": stack.environment.BOT_SECRET },
          }).then(async (r) => r.status + await r.text()),
          delay(15000, "timeout"),
        ]);
        log(r);
        log(
          await Promise.race([
            stack.asSuperuser((sql) =>
              sql`select pid, usename, state, wait_event, left(query, 60) q, now() - xact_start as t from pg_stat_activity where backend_type = 'client backend'`
            ),
            delay(5000, "sql timeout"),
          ]),
        );
        log((await Deno.readTextFile(stack.folder.home + "/postgres/server.log")).slice(-1500));
        await Deno.writeTextFile("/tmp/prove-out.log", await stack.output());
        Deno.exit(1);
      }
    }
    log("round", round, load.journal.answered, Math.round(performance.now() - t));
    await delay(Math.random() * 1000);
    const what =
      ["server", "all", "backends", "functions", "standin"][Math.floor(Math.random() * 5)];
    log("kill", what);
    if (what === "server") sendSignal(await stack.serverPid(), "SIGKILL");
    if (what === "all") {
      sendSignal(await stack.serverPid(), "SIGKILL");
      await Promise.all([stack.killFunctions(), stack.killStandIn()]);
      await Promise.all([stack.startFunctions(), stack.startStandIn()]);
    }
    if (what === "functions") {
      await stack.killFunctions();
      await stack.startFunctions();
    }
    if (what === "standin") {
      await stack.killStandIn();
      await stack.startStandIn();
    }
    if (what === "backends") {
      const p = await stack.backendPids();
      for (const x of p.sort(() => Math.random() - .5).slice(0, 2)) sendSignal(x, "SIGKILL");
    }
  }
});
Deno.exit(0);
