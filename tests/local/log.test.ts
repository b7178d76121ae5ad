/**
 * What a running stack prints, for people and for machines.
 * @module
 */
import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { printed } from "../../local/stack/log.ts";
import { SCHEDULER_REQUEST_ID } from "../../local/stack/scheduler.ts";

const TIME = "2026-11-25T12:03:04.000Z";
const CLOCK = new Date(TIME).toTimeString().slice(0, 8);

/** A line of the functions' log. */
function logged(fields: Record<string, unknown>): string {
  return JSON.stringify({
    time: TIME,
    level: "info",
    function: "bot-deduct",
    method: "POST",
    http_status: 200,
    status: "SUCCESS",
    duration_ms: 12,
    request_id: "a-request",
    ...fields,
  });
}

const IDLE = { checked: 0, settled: 0, flagged: 0, failed: 0, holds_expired: 0 };
const RUN = { function: "reconcile-payments", request_id: SCHEDULER_REQUEST_ID, ...IDLE };

const LINES: [string, Record<string, unknown>, string][] = [
  ["a deduction", { remaining_credits: 2 }, "bot-deduct         200   12 ms  2 credits left"],
  [
    "a deduction that is repeated",
    { remaining_credits: 1, replayed: true },
    "bot-deduct         200   12 ms  1 credit left, replayed",
  ],
  [
    "a refused deduction",
    { status: "INSUFFICIENT_CREDITS", remaining_credits: 0 },
    "bot-deduct         200   12 ms  INSUFFICIENT_CREDITS, 0 credits left",
  ],
  [
    "an event",
    { function: "razorpay-webhook", event: "payment.captured", outcome: "settled" },
    "razorpay-webhook   200   12 ms  payment.captured, settled",
  ],
  [
    "a purchase",
    { function: "verify-payment", credits_added: 20, remaining_credits: 23 },
    "verify-payment     200   12 ms  20 credits added, 23 credits left",
  ],
  [
    "an outage",
    { level: "error", http_status: 503, status: "ERROR", code: "UNAVAILABLE", cause: "no server" },
    "bot-deduct         503   12 ms  UNAVAILABLE, no server",
  ],
  [
    "a reservation",
    { function: "bot-reserve", remaining_credits: 15, reserved_credits: 5 },
    "bot-reserve        200   12 ms  15 credits left, 5 credits reserved",
  ],
  [
    "a late capture",
    { function: "bot-capture", remaining_credits: 15, captured_credits: 5, late: true },
    "bot-capture        200   12 ms  5 credits captured, 15 credits left, late",
  ],
  [
    "a release",
    { function: "bot-release", remaining_credits: 1, released_credits: 1 },
    "bot-release        200   12 ms  1 credit released, 1 credit left",
  ],
  [
    "a profile",
    { function: "users", credits: 20, remaining_credits: 20, reserved_credits: 0 },
    "users              200   12 ms  20 credits left",
  ],
  ["a run that ended holds", { ...RUN, holds_expired: 2 }, "2 holds expired"],
  ["a run that checked orders", { ...RUN, checked: 3, settled: 1 }, "3 checked, 1 settled"],
];

for (const [what, fields, expected] of LINES) {
  Deno.test(`${what} is told to people in a line, and to machines as it was written`, () => {
    const line = logged(fields);
    const text = printed([line], "pretty", false) ?? "";
    strictEqual(text.startsWith(`${CLOCK} `) && text.endsWith(expected), true, text);
    strictEqual(printed([line], "json", false), line);
  });
}

Deno.test("a run of the scheduler that did nothing is silent; an operator's or a failed one is not", () => {
  for (const format of ["pretty", "json"] as const) {
    strictEqual(printed([logged(RUN)], format, false), undefined);
    match(printed([logged({ ...RUN, request_id: "another" })], format, false) ?? "", /reconcile/);
    match(printed([logged({ ...RUN, failed: 1 })], format, false) ?? "", /failed/);
    const failure = { ...RUN, level: "error", http_status: 503, status: "ERROR" };
    match(printed([logged(failure)], format, false) ?? "", /503/);
  }
});

Deno.test("the status has the color of its kind", () => {
  const inColor = (color: number, fields: Record<string, unknown>) => {
    const text = printed([logged(fields)], "pretty", true) ?? "";
    return text.includes(`\x1b[${color}m${fields.http_status}\x1b[39m`);
  };
  strictEqual(inColor(32, { http_status: 200 }), true);
  strictEqual(inColor(33, { http_status: 404 }), true);
  strictEqual(inColor(31, { http_status: 500, level: "error" }), true);
});

Deno.test("an error of the Data API is one line in both formats, without numbers", () => {
  const error = { code: "23505", message: "Key (phone_number)=(+919876543210) already exists" };
  const cause = "23505 Key (phone_number)=((number)) already exists";
  match(printed([error], "pretty", false) ?? "", /data-api .* 23505 Key .*\(\(number\)\) already/);
  const line = JSON.parse(printed([error], "json", false) ?? "");
  deepStrictEqual({ ...line, time: TIME }, {
    time: TIME,
    level: "error",
    function: "data-api",
    cause,
  });
});

Deno.test("anything else is printed as it is", () => {
  const sentence = "PostgreSQL exited unexpectedly; restarting it.";
  for (const format of ["pretty", "json"] as const) {
    strictEqual(printed([sentence], format, false), sentence);
    strictEqual(printed(["failed:", { a: 1 }], format, false), "failed: { a: 1 }");
  }
});
