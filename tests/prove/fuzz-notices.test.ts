/**
 * Backends that are broken on purpose, to show that fuzzing notices.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { ERRORS } from "shared/errors.ts";
import { z } from "zod";
import { type Found, fuzz as run } from "../../local/prove/fuzz/fuzz.ts";
import { bytesPerRequest, memoryOf } from "../../local/prove/fuzz/memory.ts";
import { resultOfLanes, rowsOf } from "../../local/prove/fuzz/part.ts";
import { parseAnswers } from "../../local/prove/fuzz/socket.ts";
import { forwardDataApi } from "../../local/stack/data-api.ts";
import { deferFunctions, type Functions } from "../../local/stack/functions.ts";
import { startGateway } from "../../local/stack/gateway.ts";
import { REPOSITORY } from "../../local/system/settings.ts";
import { startBackend } from "../support/backend.ts";
import type { FunctionName } from "../support/calls.ts";
import { one } from "../support/lists.ts";

const backend = await startBackend();
const { environment, sql } = backend;
Deno.test.afterAll(() => backend.stop());

const SEED = 12;

/** The number of the customer who was made last, which only the bot should see. */
let number = "";

/** What is kept of every request to a backend that leaks. */
const leaked: Uint8Array[] = [];
const LEAK_BYTES = 250_000;

const withHeader = (response: Response, name: string, value: string | undefined) => {
  const changed = new Response(response.body, response);
  if (value === undefined) changed.headers.delete(name);
  else changed.headers.set(name, value);
  return changed;
};

const withMessage = async (response: Response, change: (message: string) => string) => {
  if (!response.headers.get("content-type")?.startsWith("application/json")) return response;
  const body = z.looseObject({ message: z.string() }).safeParse(await response.json()).data;
  const text = body && JSON.stringify({ ...body, message: change(body.message) });
  return new Response(text ?? null, response);
};

/** What is wrong with a function, and what has to be said about it. */
interface Break {
  readonly change: (response: Response) => Response | Promise<Response>;
  readonly miss: string;
}

/** What is wrong with which functions. */
type Breaks = Partial<Record<FunctionName, Break>>;

const BROKEN: Breaks = {
  "bot-credits": {
    change: ({ body, headers }) => new Response(body, { headers, status: 418 }),
    miss: "418",
  },
  "bot-prices": {
    change: async (response) =>
      new Response((await response.text()).replace('"actions"', '"prices"'), response),
    miss: "GET /bot-prices 200: ",
  },
  "users": {
    change: (response) => withMessage(response, () => 'relation "accounts" does not exist'),
    miss: 'relation in: relation "accounts" does not exist',
  },
  "credit-history": {
    change: (response) => withHeader(response, "x-powered-by", "Deno"),
    miss: "the header x-powered-by is not documented",
  },
  "bot-release": {
    change: (response) => withHeader(response, "access-control-allow-origin", "*"),
    miss: "access-control-allow-origin is *, not null",
  },
  "bot-capture": {
    change: (response) => withHeader(response, "cache-control", undefined),
    miss: "cache-control is null, not no-store",
  },
  "find-customer": {
    change: (response) => withMessage(response, (message) => message + environment.BOT_SECRET),
    miss: "the answer holds a secret",
  },
  "merge-users": {
    change: (response) => withMessage(response, (message) => `${message} ${REPOSITORY}/a.ts`),
    miss: "the answer holds a path of the server",
  },
  "get-customer": {
    change() {
      throw new Error("a bug");
    },
    miss: "the body is not in the envelope",
  },
  "list-entries": {
    change(response) {
      console.info(JSON.stringify({ level: "info", function: "list-entries", cause: number }));
      return response;
    },
    miss: "the log holds a private value",
  },
  "list-actions-taken": {
    change(response) {
      console.error(JSON.stringify({ level: "error", function: "list-actions-taken" }));
      return response;
    },
    miss: "the log has an error",
  },
  "payment-return": {
    change: (response) =>
      response.status === 303
        ? withHeader(response, "location", "https://elsewhere.example/#payment=paid")
        : response,
    miss: "a browser is sent to https://elsewhere.example/",
  },
  "razorpay-webhook": {
    change: (response) => withMessage(response, (message) => `${message} of ${number}`),
    miss: "the answer holds the identity of somebody else",
  },
  "get-operator": {
    change: ({ headers }) =>
      Response.json(
        { status: "ERROR", message: "Something went wrong on our side", code: "INTERNAL" },
        { headers, status: 500 },
      ),
    miss: "it fails: get-operator 500 INTERNAL",
  },
  "bot-link": {
    change: (response) =>
      response.status === 401
        ? Response.json({ status: "SUCCESS", message: "Welcome." }, {
          headers: response.headers,
          status: 200,
        })
        : response,
    miss: "somebody is served who may not call it: bot-link 200 SUCCESS",
  },
  "freeze-user": {
    async change(response) {
      await sql`
        update public.users set credits = credits + 1
        where id = (select id from public.users order by created_at limit 1)`;
      mintedCredits++;
      return response;
    },
    miss: "the books are wrong",
  },
};

let mintedCredits = 0;

/** The functions, broken in all of these ways, and keeping a part of every request. */
async function brokenFunctions(breaks: Breaks): Promise<Functions> {
  const functions = new Map<string, (request: Request) => Promise<Response>>();
  for (const [name, handle] of await deferFunctions()) {
    functions.set(name, async (request) => {
      leaked.push(new Uint8Array(LEAK_BYTES).fill(1));
      if (name === "bot-link") {
        const text = await request.clone().text();
        number = /^\{"phone_number":"\+(91\d{10})"\}$/.exec(text)?.[1] ?? number;
      }
      const { change = (response: Response) => response } = breaks[name as FunctionName] ?? {};
      return await change(await handle(request));
    });
  }
  return functions;
}

/** Fuzzes the broken functions on the database of the backend, and rights its books. */
async function fuzzBroken(requests: number, breaks: Breaks): Promise<Found> {
  const dataApi = forwardDataApi(environment.SUPABASE_URL);
  const gateway = startGateway({ port: 0, dataApi, functions: await brokenFunctions(breaks) });
  try {
    const target = { ...backend, address: gateway.url };
    return await run(target, { requests, seed: SEED, afterOutageMs: 50, progress: () => {} });
  } finally {
    await gateway.stop();
    await sql`
      update public.users set credits = credits - ${mintedCredits}
      where id = (select id from public.users order by created_at limit 1)`;
    mintedCredits = 0;
    leaked.length = 0;
  }
}

Deno.test("every fault of a broken backend is noticed, with the request that found it", async () => {
  const found = await fuzzBroken(1_200, BROKEN);
  for (const { miss } of Object.values(BROKEN)) {
    ok(found.misses.some((text) => text.includes(miss)), `${miss} is not among the misses`);
  }
  const ofRequests = found.misses.filter((text) => /[0-9] of seed /.test(text));
  ok(ofRequests.length >= Object.keys(BROKEN).length - 1);
  for (const miss of ofRequests) {
    match(miss, /request [0-9]+ of seed 12: \{"caller":"[a-z]+","method":"[A-Z]+","target":"\//);
    ok(!miss.includes(environment.BOT_SECRET), miss);
  }
  // What is kept of a request is much more than what else a short run needs, such as code that is loaded.
  ok(bytesPerRequest("heapMegabytes", found.memory) > LEAK_BYTES / 4);
  ok(bytesPerRequest("residentMegabytes", found.memory) > LEAK_BYTES / 4);
});

/** An answer as during an outage, in place of one in the envelope. */
const unavailable = (response: Response): Response => {
  const type = response.headers.get("content-type");
  if (response.body === null || !type?.startsWith("application/json")) return response;
  const { status, message } = ERRORS.UNAVAILABLE;
  console.error(JSON.stringify({ level: "error", function: "any", http_status: status }));
  return withHeader(
    Response.json({ status: "ERROR", message, code: "UNAVAILABLE" }, {
      headers: response.headers,
      status,
    }),
    "retry-after",
    "2",
  );
};

Deno.test("a request that met an outage once is counted, and one that meets it again is a miss", async () => {
  let isOver = false;
  const once = await fuzzBroken(400, {
    "find-customer": {
      change(response) {
        if (isOver) return response;
        const changed = unavailable(response);
        isOver = changed !== response;
        return changed;
      },
      miss: "",
    },
  });
  deepStrictEqual(once.misses, []);
  deepStrictEqual([isOver, once.outages, once.outageLines], [true, 1, 1]);

  const always = await fuzzBroken(400, { "find-customer": { change: unavailable, miss: "" } });
  strictEqual(always.outages, 0);
  match(
    always.misses.join("\n"),
    /^it fails, and when it is sent once more: find-customer 503 UNAVAILABLE \(request/m,
  );
  const row = one(
    rowsOf([{ seed: SEED, found: always }]).filter(({ what }) =>
      what.startsWith("requests that met an outage")
    ),
  );
  ok(always.outageLines > 10);
  strictEqual(row.holds, false, row.figure);
});

/** What a process found that found nothing, in a run of the small size that needs this much at each time. */
function foundWith(heapMegabytes: readonly number[]): Found {
  const samples = heapMegabytes.map((size) => ({
    heapMegabytes: size,
    residentMegabytes: 2 * size,
  }));
  return {
    overHttp: 20_000,
    overSockets: 0,
    answers: 1,
    kinds: {},
    refused: 0,
    logLines: 1,
    bookChecks: 1,
    outages: 0,
    outageLines: 0,
    memory: memoryOf(samples, 1_250),
    seconds: 1,
    missCounts: { answers: 0, log: 0, books: 0 },
    misses: [],
  };
}

/** As measured: what is needed grows fast while code is loaded, and then by what the stand-in keeps. */
const HEALTHY = [147, 150, 151, 152, 153, 153, 153, 154, 154, 155, 155, 155, 156, 156, 157, 156];

Deno.test("a leak of a kilobyte for each request is noticed in the small size, and no warm-up is one", () => {
  const heapRow = (found: Found) =>
    one(rowsOf([{ seed: SEED, found }]).filter(({ what }) => what.includes("JavaScript")));
  const healthy = heapRow(foundWith(HEALTHY));
  ok(healthy.holds, healthy.figure);
  const leaking = heapRow(foundWith(HEALTHY.map((size, sample) => size + sample * 1_250 / 1_024)));
  strictEqual(leaking.holds, false, leaking.figure);
});

Deno.test("a process that gives up is a miss, and what the others found is kept", () => {
  const missCounts = { answers: 0, log: 0, books: 1 };
  const found = { ...foundWith(HEALTHY), missCounts, misses: ["the books are wrong"] };
  const { holds, rows, misses } = resultOfLanes([
    { status: "rejected", reason: new Error("The process with seed 1 gave up") },
    { status: "fulfilled", value: { seed: 2, found } },
  ]);
  strictEqual(holds, false);
  deepStrictEqual(misses, ["The process with seed 1 gave up", "the books are wrong"]);
  match(rows[0]?.figure ?? "", /^20,000 and 0 \(seed 2\)$/);
  const judged = rows.filter(({ figure }) => / missed$/.test(figure));
  deepStrictEqual(judged.map(({ figure, holds }) => [figure.replace(/^.*, /, ""), holds]), [
    ["0 missed", true],
    ["0 missed", true],
    ["1 missed", false],
  ]);
});

Deno.test("answers are told from bytes that are none, however many there are", () => {
  const first = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{1}";
  const second =
    "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{2\r\n1\r\n}\r\n0\r\n\r\n";
  const { answers, rest } = parseAnswers(`HTTP/1.1 100 Continue\r\n\r\n${first}${second}x`);
  deepStrictEqual(answers.map(({ httpStatus, text }) => `${httpStatus} ${text}`), [
    "200 {1}",
    "404 {2}",
  ]);
  strictEqual(rest, "x");
  strictEqual(parseAnswers(first.slice(0, -1)).answers.length, 0);
});
