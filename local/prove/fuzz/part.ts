/**
 * Requests drawn from the document, and bytes drawn from nowhere.
 * @module
 */

import { dirname } from "node:path";
import postgres from "postgres";
import { OPERATIONS } from "shared/contract/operations.ts";
import { withTemporaryStack } from "../../stack/temporary.ts";
import { loadSecrets } from "../../stack/secrets.ts";
import { parseSettings, readSettings } from "../../system/settings.ts";
import { type Part, resultOf, type Row, type Size } from "../part.ts";
import { newSeed } from "../random.ts";
import { type Found, fuzz as run } from "./fuzz.ts";

const REQUESTS: Readonly<Record<Size, number>> = {
  small: 20_000,
  full: 150_000,
  million: 1_000_000,
};

/**
 * How much the memory of the process may grow after the warm-up, in megabytes: for chance, and for
 * every thousand requests, because the stand-in for Razorpay in this process keeps its orders.
 */
const MEMORY_TOLERANCE = 48;
const MEMORY_TOLERANCE_PER_THOUSAND = 1;

/** See the module. */
export const fuzz: Part = {
  name: "fuzz",
  claim:
    "Whatever is sent, as bot, page, operator, Razorpay or nobody, over HTTP or as bytes on a " +
    "connection, only documented answers come back, with nothing internal in them; nothing private " +
    "is logged, the books stay right, and the memory stays where it was.",
  async run({ size, progress, seed = newSeed() }) {
    const { localDir, postgresBin } = readSettings();
    // Always an embedded database, because fuzzing wears accounts out.
    const settings = { ...parseSettings({}), localDir, postgresBin };
    let found: Found | undefined;
    progress(`starting, with seed ${seed}`);
    await withTemporaryStack(settings, async ({ environment, envFile }) => {
      const secrets = await loadSecrets(dirname(envFile));
      const sql = postgres(environment.DATABASE_URL, { max: 2, onnotice: () => {} });
      try {
        const target = { address: environment.SUPABASE_URL, environment, secrets, sql };
        found = await run(target, { requests: REQUESTS[size], seed, progress });
      } finally {
        await sql.end();
      }
    });
    if (found === undefined) throw new Error("The run was given up.");
    const { misses, missCount } = found;
    const others = missCount > misses.length ? [`${missCount - misses.length} more misses`] : [];
    return resultOf(rowsOf(found, seed), [...misses, ...others]);
  },
};

/** The rows of the table. */
export function rowsOf(found: Found, seed: number): Row[] {
  const { overHttp, overSockets, answers, kinds, logLines, bookChecks, memory, seconds } = found;
  const requests = overHttp + overSockets;
  const tolerance = MEMORY_TOLERANCE + MEMORY_TOLERANCE_PER_THOUSAND * requests / 1000;
  const count = (number: number) => number.toLocaleString("en");
  const failing = OPERATIONS.map(({ name }) => name).filter((name) =>
    !kinds.keys().some((kind) => kind.startsWith(`${name} 200`) || kind.startsWith(`${name} 303`))
  );
  const codes = new Set(kinds.keys().map((kind) => kind.split(" ").slice(1).join(" ")));
  const holds = found.missCount === 0;
  return [
    {
      what: "Requests over HTTP, and as bytes on connections",
      figure: `${count(overHttp)} and ${count(overSockets)} (seed ${seed})`,
      holds: true,
    },
    {
      what: "Answers of functions, all documented",
      figure: `${count(answers)} of ${kinds.size} kinds, with ${codes.size} codes`,
      holds,
    },
    {
      what: "Operations that also succeeded",
      figure: failing.length === 0
        ? `all ${OPERATIONS.length}`
        : `${OPERATIONS.length - failing.length} of ${OPERATIONS.length}, not ${
          failing.join(", ")
        }`,
      holds: failing.length === 0,
    },
    { what: "Lines of the log, none with a private value", figure: count(logLines), holds },
    { what: "Checks of the books, all right", figure: count(bookChecks), holds },
    {
      what: `Memory after a quarter and at the end, at most ${tolerance.toFixed(0)} MB more`,
      figure: `${memory.before.toFixed(0)} MB and ${memory.after.toFixed(0)} MB`,
      holds: memory.after - memory.before <= tolerance,
    },
    {
      what: "Requests a second",
      figure: (requests / seconds).toFixed(0),
      holds: true,
    },
  ];
}
