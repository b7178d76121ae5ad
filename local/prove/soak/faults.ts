/**
 * What goes wrong during a soak, one after the other, each for a few seconds.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { NewFault } from "../../razorpay/faults.ts";
import { isRunning, sendSignal } from "../../system/processes.ts";
import { until } from "../../system/until.ts";
import { kill } from "../kill.ts";
import { acknowledged } from "../load/event-listener.ts";
import type { ProvedStack } from "../load/proved-stack.ts";

/** A fault: it begins, lasts, and ends. */
export interface Fault {
  readonly name: string;
  /** Resolves with whether anything met it: a fault that nobody noticed does not count. */
  happen(stack: ProvedStack): Promise<boolean>;
}

const LASTS_MS = 3_000;

/** In the order in which they are told of; they happen in a random one. */
export const FAULTS: readonly Fault[] = [
  {
    name: "the database is shut down, and the stack starts it again",
    // Unlike a crash, a shutdown keeps the counts of dead rows, which are among the samples.
    async happen(stack) {
      await kill(await stack.serverPid(), "SIGINT");
      return true;
    },
  },
  { name: "the database stands still", happen: stopServer },
  {
    name: "all connections of the database are cut",
    async happen(stack) {
      await until("the connections are cut", () => cutConnections(stack));
      return true;
    },
  },
  { name: "Razorpay is slow", happen: misbehave({ kind: "delay", delay_ms: 2_000, times: 8 }) },
  { name: "Razorpay does not answer", happen: misbehave({ kind: "hang", times: 2 }) },
  {
    name: "Razorpay answers nonsense",
    happen: misbehave(
      { kind: "500", times: 2 },
      { kind: "502_html", times: 2 },
      { kind: "504_empty" },
      { kind: "200_html", times: 2 },
      { kind: "200_cut_off" },
    ),
  },
  {
    name: "connections to Razorpay are cut",
    happen: misbehave({ kind: "drop", times: 3 }, { kind: "200_broken_off", times: 2 }),
  },
  {
    name: "Razorpay is down",
    async happen(stack) {
      await stack.killStandIn();
      await delay(LASTS_MS);
      await stack.startStandIn();
      return true;
    },
  },
  {
    name: "the bot that hears the events is down",
    async happen({ listener }) {
      let refused = 0;
      listener.behave(() => {
        refused++;
        return new Response(null, { status: 503 });
      });
      await delay(LASTS_MS);
      listener.behave(acknowledged);
      return refused > 0;
    },
  },
];

/** Returns whether any was cut: the database may still be on its way back from the fault before. */
async function cutConnections(stack: ProvedStack): Promise<boolean> {
  try {
    const cut = await stack.asSuperuser((sql) =>
      sql`
        select pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()`
    );
    return cut.length > 0;
  } catch {
    return false;
  }
}

/** Stops the server and all its connections without ending them, as a disk that hangs does. */
async function stopServer(stack: ProvedStack): Promise<boolean> {
  const server = await stack.serverPid();
  const backends = await stack.backendPids();
  for (const pid of [server, ...backends]) sendSignal(pid, "SIGSTOP");
  await delay(LASTS_MS);
  const stopped = await Promise.all([server, ...backends].map((pid) => isRunning(pid)));
  for (const pid of [server, ...backends]) sendSignal(pid, "SIGCONT");
  return backends.length > 0 && stopped.every(Boolean);
}

/**
 * Has Razorpay do this with the next requests. What is not used up in the time that a fault lasts is
 * forgotten, so that faults take turns.
 */
export function misbehave(...faults: NewFault[]) {
  return async ({ control }: Pick<ProvedStack, "control">): Promise<boolean> => {
    for (const fault of faults) await control.addFault(fault);
    await delay(LASTS_MS);
    const left = await control.faults();
    await control.clearFaults();
    return requestsFor(left) < requestsFor(faults);
  };
}

/** How many requests these faults are for. */
function requestsFor(faults: readonly NewFault[]): number {
  return faults.reduce((sum, { times = 1 }) => sum + times, 0);
}
