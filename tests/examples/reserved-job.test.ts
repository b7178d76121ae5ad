/**
 * examples/reserved-job.ts, played against a backend.
 * @module
 */

import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import type { Job } from "../../examples/reserved-job.ts";
import { newUser } from "../support/accounts.ts";
import { startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { closedUrl, lossyProxy } from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
const { sql } = backend;
const proxy = lossyProxy(backend.environment.SUPABASE_URL);
Deno.test.afterAll(async () => {
  await proxy.stop();
  await backend.stop();
});

/** The example reads its address once, when it is loaded. */
const { onVoiceRequest, withReservedCredits } = await withEnvironment(
  { SUPABASE_URL: proxy.url },
  () => import("../../examples/reserved-job.ts"),
);

/** Sends a user's message to a bot whose voice messages have a length, and returns what it said. */
async function ask(
  from: string,
  id: string,
  speak: () => number | Promise<number> = () => 40,
): Promise<string[]> {
  const replies: string[] = [];
  await onVoiceRequest({ from, id }, {
    sendVoice: async () => await speak(),
    reply: (text) => Promise.resolve(void replies.push(text)),
  });
  return replies;
}

/** A job that needs one credit. */
function imageJob(run: () => Promise<number> | number): Job {
  return {
    action: "image_generation",
    quantity: 1,
    expiresInSeconds: 600,
    run: async () => await run(),
  };
}

async function creditsOf(phone: string) {
  const { remaining_credits, reserved_credits } = dataOf(await call("GET", `bot-credits/${phone}`));
  return { remaining: remaining_credits, reserved: reserved_credits };
}

async function spend(phone: string, credits: number): Promise<void> {
  const body = { phone_number: phone, credits };
  strictEqual((await call("POST", "bot-deduct", { body })).body.status, "SUCCESS");
}

/** Lets the time pass until all that a user has reserved has expired. */
async function expireHolds(phone: string): Promise<void> {
  await sql`
    with expired as (
      update public.holds set expires_at = clock_timestamp()
      where state = 'open' and user_id = (select id from public.users where phone_number = ${phone})
      returning user_id, expires_at
    )
    update public.users u set next_hold_expiry_at = e.expires_at from expired e where u.id = e.user_id`;
}

async function freeze(phone: string): Promise<void> {
  const userId = await newUser(phone);
  await sql`select public.freeze_user(${userId}, 'Asha', 'A test', ${userId})`;
}

/** The functions that the bot has called since there were `count` calls. */
function callsSince(count: number): string[] {
  return proxy.paths.slice(count).map((path) => path.split("/").at(-1) ?? "");
}

Deno.test("the most that a job can use is reserved while it runs, and what it used is charged", async () => {
  const phone = newPhoneNumber();
  const replies = await ask(phone, "1", async () => {
    deepStrictEqual(await creditsOf(phone), { remaining: 0, reserved: 3 });
    return 30.5;
  });
  deepStrictEqual(replies, [
    "Voice message generated successfully. You have 1 credit remaining.",
  ]);
  deepStrictEqual(await creditsOf(phone), { remaining: 1, reserved: 0 });
});

Deno.test("a job that used more than was reserved is charged what was reserved", async () => {
  const phone = newPhoneNumber();
  const [reply] = await ask(phone, "1", () => 1000);
  strictEqual(reply, "Voice message generated successfully. You have no credits remaining.");
});

Deno.test("a job that used nothing costs nothing", async () => {
  const phone = newPhoneNumber();
  await ask(phone, "1", () => 0);
  deepStrictEqual(await creditsOf(phone), { remaining: 3, reserved: 0 });
});

Deno.test("a job that fails costs nothing, and its message can be tried again", async () => {
  const phone = newPhoneNumber();
  await rejects(ask(phone, "1", () => Promise.reject(new Error("no voice"))), /no voice/);
  deepStrictEqual(await creditsOf(phone), { remaining: 3, reserved: 0 });
  strictEqual((await ask(phone, "1")).length, 1);
  deepStrictEqual(await creditsOf(phone), { remaining: 1, reserved: 0 });
});

Deno.test.each<[unknown]>([[undefined], [NaN], [Infinity], [-1]])(
  "a job that returns %s has failed, and costs nothing",
  async (used) => {
    const phone = newPhoneNumber();
    const before = proxy.paths.length;
    await rejects(ask(phone, "1", () => used as number), /the job returned/);
    deepStrictEqual(callsSince(before), ["bot-reserve", "bot-release"]);
    deepStrictEqual(await creditsOf(phone), { remaining: 3, reserved: 0 });
  },
);

Deno.test("of two messages at once for the last credit, one is served and the other hears why", async () => {
  const phone = newPhoneNumber();
  await spend(phone, 2);
  let images = 0;
  const refused = Promise.withResolvers<string>();
  const report = async (id: string) => {
    const report = await withReservedCredits(
      { from: phone, id },
      imageJob(async () => {
        images++;
        await refused.promise;
        return 1;
      }),
    );
    if (report.outcome === "insufficient_credits") refused.resolve(report.message);
    return report.outcome;
  };
  const outcomes = await Promise.all([report("1"), report("2")]);
  deepStrictEqual([images, outcomes.sort()], [1, ["charged", "insufficient_credits"]]);
  strictEqual(await refused.promise, "Your last credit is reserved for what is being made.");
  deepStrictEqual(await creditsOf(phone), { remaining: 0, reserved: 0 });
});

Deno.test("a user with too few credits hears so before anything is made, and is offered a package", async () => {
  const phone = newPhoneNumber();
  await spend(phone, 1);
  const [reply = ""] = await ask(phone, "1", () => Promise.reject(new Error("begun")));
  const [reason, offer = ""] = reply.split("\n");
  strictEqual(
    reason,
    "You have 2 credits left, and this needs 3. Please purchase a plan to continue.",
  );
  match(offer, /^20 credits for 99 rupees: http:\/\/127\.0\.0\.1:\d+\/rzp\/\S+$/);
});

Deno.test("a second delivery of a message begins nothing, neither during the job nor after it", async () => {
  const phone = newPhoneNumber();
  const message = { from: phone, id: "1" };
  const begun = imageJob(() => Promise.reject(new Error("begun twice")));
  const first = await withReservedCredits(
    message,
    imageJob(async () => {
      const second = await withReservedCredits(message, begun);
      ok(second.outcome === "repeated" && Date.parse(second.expiresAt) > Date.now());
      strictEqual(second.state, "open");
      return 1;
    }),
  );
  strictEqual(first.outcome, "charged");
  const third = await withReservedCredits(message, begun);
  ok(third.outcome === "repeated" && third.state === "captured");
  deepStrictEqual(await creditsOf(phone), { remaining: 2, reserved: 0 });
});

Deno.test("a second delivery says nothing to the user", async () => {
  const phone = newPhoneNumber();
  await ask(phone, "1");
  deepStrictEqual(await ask(phone, "1"), []);
});

Deno.test("a reservation whose answer gets lost is made once, and its job is done", async () => {
  const phone = newPhoneNumber();
  const before = proxy.paths.length;
  proxy.loseAnswer = 1;
  strictEqual((await ask(phone, "1")).length, 1);
  deepStrictEqual(callsSince(before), ["bot-reserve", "bot-reserve", "bot-capture"]);
  deepStrictEqual(await creditsOf(phone), { remaining: 1, reserved: 0 });
});

Deno.test("a capture whose answer gets lost is sent again and charged once", async () => {
  const phone = newPhoneNumber();
  const before = proxy.paths.length;
  proxy.loseAnswer = 2;
  deepStrictEqual(await ask(phone, "1"), [
    "Voice message generated successfully. You have 1 credit remaining.",
  ]);
  deepStrictEqual(callsSince(before), ["bot-reserve", "bot-capture", "bot-capture"]);
  deepStrictEqual(await creditsOf(phone), { remaining: 1, reserved: 0 });
});

Deno.test("a release whose answer gets lost is sent again", async () => {
  const phone = newPhoneNumber();
  const before = proxy.paths.length;
  proxy.loseAnswer = 2;
  await rejects(ask(phone, "1", () => Promise.reject(new Error("no voice"))), /no voice/);
  deepStrictEqual(callsSince(before), ["bot-reserve", "bot-release", "bot-release"]);
  deepStrictEqual(await creditsOf(phone), { remaining: 3, reserved: 0 });
});

Deno.test("if the release fails too, the job's own error is told, and the credits return with time", async () => {
  const phone = newPhoneNumber();
  const url = Deno.env.get("SUPABASE_URL") ?? "";
  try {
    const job = ask(phone, "1", () => {
      Deno.env.set("SUPABASE_URL", closedUrl());
      return Promise.reject(new Error("no voice"));
    });
    await rejects(job, /no voice/);
  } finally {
    Deno.env.set("SUPABASE_URL", url);
  }
  deepStrictEqual(await creditsOf(phone), { remaining: 0, reserved: 3 });
  await expireHolds(phone);
  deepStrictEqual(await creditsOf(phone), { remaining: 3, reserved: 0 });
});

Deno.test("a job that ends after its reservation is charged if the credits are still there", async () => {
  const phone = newPhoneNumber();
  const report = await withReservedCredits(
    { from: phone, id: "1" },
    imageJob(async () => {
      await expireHolds(phone);
      return 1;
    }),
  );
  ok(report.outcome === "charged" && report.isLate);
  strictEqual(report.message, "Image generated successfully. You have 2 credits remaining.");
  deepStrictEqual(await creditsOf(phone), { remaining: 2, reserved: 0 });
});

Deno.test("a job that ends after its credits were spent on something else is not charged", async () => {
  const phone = newPhoneNumber();
  const before = proxy.paths.length;
  const replies = await ask(phone, "1", async () => {
    await expireHolds(phone);
    await spend(phone, 2);
    return 40;
  });
  deepStrictEqual(replies, []);
  deepStrictEqual(callsSince(before), ["bot-reserve", "bot-capture"]);
  deepStrictEqual(await creditsOf(phone), { remaining: 1, reserved: 0 });
});

Deno.test("a job that is done keeps its reservation if the capture cannot reach the backend", async () => {
  const phone = newPhoneNumber();
  const before = proxy.paths.length;
  const url = Deno.env.get("SUPABASE_URL") ?? "";
  try {
    const job = ask(phone, "1", () => {
      Deno.env.set("SUPABASE_URL", closedUrl());
      return 40;
    });
    await rejects(job, /bot-capture: the backend cannot be reached/);
  } finally {
    Deno.env.set("SUPABASE_URL", url);
  }
  strictEqual(callsSince(before).includes("bot-release"), false);
  deepStrictEqual(await creditsOf(phone), { remaining: 0, reserved: 3 });
});

Deno.test("a user for whom too much is being made already is asked to wait", async () => {
  await sql`update public.settings set value = 0 where name = 'max_open_holds'`;
  try {
    const replies = await ask(newPhoneNumber(), "1", () => Promise.reject(new Error("begun")));
    deepStrictEqual(replies, ["Please wait until what you have asked for is ready."]);
  } finally {
    await sql`update public.settings set value = 20 where name = 'max_open_holds'`;
  }
});

Deno.test("a user whose account is frozen hears so, and nothing is begun", async () => {
  const phone = newPhoneNumber();
  await freeze(phone);
  const replies = await ask(phone, "1", () => Promise.reject(new Error("begun")));
  deepStrictEqual(replies, ["Your account is paused. Please write to our support."]);
});

Deno.test("a job that ends in time is charged although its account was frozen meanwhile", async () => {
  const phone = newPhoneNumber();
  const replies = await ask(phone, "1", async () => {
    await freeze(phone);
    return 40;
  });
  deepStrictEqual(replies, ["Voice message generated successfully. You have 1 credit remaining."]);
});

Deno.test("a job that ends after its reservation is not charged if its account is frozen", async () => {
  const phone = newPhoneNumber();
  const report = await withReservedCredits(
    { from: phone, id: "1" },
    imageJob(async () => {
      await expireHolds(phone);
      await freeze(phone);
      return 1;
    }),
  );
  deepStrictEqual(report, { outcome: "expired" });
  deepStrictEqual(await creditsOf(phone), { remaining: 3, reserved: 0 });
});

Deno.test("an action that is not in the price list is never done for free", async () => {
  const phone = newPhoneNumber();
  const job = { ...imageJob(() => Promise.reject(new Error("begun"))), action: "no_such_action" };
  await rejects(withReservedCredits({ from: phone, id: "1" }, job), { code: "ACTION_NOT_FOUND" });
});
