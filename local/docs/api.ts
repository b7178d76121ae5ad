/**
 * The tables of docs/api.md, from the contract that the functions parse with.
 * @module
 */

import { z } from "zod";
import { EVENTS } from "shared/contract/events.ts";
import { errorsOf, type Operation } from "shared/contract/operation.ts";
import { OPERATIONS } from "shared/contract/operations.ts";
import { type ErrorCode, ERRORS } from "shared/errors.ts";
import { table } from "./markdown.ts";

const CALLERS: Record<Operation["caller"], string> = {
  bot: "the bot",
  owner: "a page, for the owner of the account",
  anyone: "a page, for anyone",
  browser: "Razorpay Checkout, in a browser",
  operator: "the scheduler or an operator, with the secret key",
  razorpay: "Razorpay",
};

/** Whether a request that ended with a status may be sent again as it was. */
const REPEAT: Record<number, string> = { 429: "later", 500: "once", 502: "once", 503: "yes" };

/** Every function: how it is called, by whom, and what for. */
export function endpointTable(): string {
  return table(
    ["Function", "Who calls it", "What it does"],
    OPERATIONS.map((operation) => [
      `[\`${operation.method} ${addressOf(operation)}\`](#${operation.name})`,
      callersOf(operation),
      operation.summary,
    ]),
  );
}

function callersOf({ caller, operatorRole }: Operation): string {
  if (operatorRole === undefined) return CALLERS[caller];
  return operatorRole === "owner" ? "an operator, as owner" : "an operator";
}

/** Every event: its type, what it means, and what its `data` holds besides what all have. */
export function eventTable(): string {
  return table(
    ["Type", "Meaning", "In `data` besides"],
    EVENTS.map(({ type, description, body, example }) => {
      const { data } = eventBody.parse(z.toJSONSchema(body)).properties;
      const fields = Object.keys(data.properties).filter((name) => name in example);
      return [`\`${type}\``, description, fields.map((name) => `\`${name}\``).join(", ")];
    }),
  );
}

const eventBody = z.object({
  properties: z.object({ data: z.object({ properties: z.record(z.string(), z.unknown()) }) }),
});

/** Every error, in the order of the HTTP statuses. */
export function errorTable(): string {
  const codes = Object.keys(ERRORS) as ErrorCode[];
  return table(
    ["Status", "Code", "Default message", "Functions", "Repeat?"],
    codes.sort((one, other) => ERRORS[one].status - ERRORS[other].status).map((code) => {
      const { status, message } = ERRORS[code];
      return [String(status), `\`${code}\``, message, usersOf(code), REPEAT[status] ?? "no"];
    }),
  );
}

/** The tables of request fields, by the name of the region that each can fill. */
export function requestTables(): Map<string, string> {
  return new Map(
    OPERATIONS
      .filter(({ input }) => Object.keys(input.shape).length > 0)
      .map((operation) => [`request ${operation.name}`, requestTable(operation)]),
  );
}

function addressOf({ name, pathField }: Operation): string {
  return pathField ? `${name}/:${pathField}` : name;
}

function usersOf(code: ErrorCode): string {
  const users = OPERATIONS.filter((operation) => errorsOf(operation).includes(code));
  const same = (others: readonly Operation[]) =>
    users.length === others.length && others.every((other) => users.includes(other));
  if (same(OPERATIONS)) return "all";
  // A redirect tells nobody of an error.
  const others = OPERATIONS.filter(({ redirects }) => !redirects);
  if (same(others)) return "all but those that redirect";
  if (same(others.filter(({ method }) => method === "POST"))) return "all with a JSON body";
  if (same(OPERATIONS.filter(({ caller }) => caller === "bot"))) return "the bot's";
  return users.map(({ name }) => name).join(", ");
}

/** The parts of a field's JSON Schema that a reader needs. */
const fieldSchema = z.looseObject({
  // A list, if the field may be null.
  type: z.union([z.string(), z.array(z.string()).transform(([type]) => type)]).optional(),
  format: z.string().optional(),
  description: z.string().optional(),
  examples: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  maxLength: z.number().optional(),
});

const objectSchema = z.object({
  properties: z.record(
    z.string(),
    // A field that may be null is a choice between what it holds and null.
    z.union([
      z.object({ anyOf: z.array(fieldSchema), description: z.string().optional() })
        .transform(({ anyOf: [field], ...outer }) => ({ ...field, ...outer })),
      fieldSchema,
    ]),
  ),
  required: z.array(z.string()).default([]),
});

function requestTable({ input, anyOf = [] }: Operation): string {
  const { properties, required } = objectSchema.parse(z.toJSONSchema(input, { io: "input" }));
  return table(
    ["Field", "Required", "Value"],
    Object.entries(properties).map(([name, field]) => [
      `\`${name}\``,
      necessityOf(name, { required, anyOf }),
      valueOf(field),
    ]),
  );
}

/**
 * One required field may come as the header `Idempotency-Key`, and a session says who acts in place of
 * another.
 */
function necessityOf(
  name: string,
  { required, anyOf }: { required: readonly string[]; anyOf: readonly string[] },
): string {
  if (name === "operator") return "with the secret key";
  if (!required.includes(name)) return anyOf.includes(name) ? "at least one" : "no";
  return name === "reference_id" ? "yes, or as a header" : "yes";
}

function valueOf(field: z.infer<typeof fieldSchema>): string {
  const { type = "", format, minimum, maximum, maxLength, description, examples } = field;
  const kind = format === "uuid" ? "UUID" : type;
  const bounds = minimum === undefined ? "" : ` from ${minimum} to ${maximum}`;
  const length = maxLength === undefined ? "" : ` of up to ${maxLength} characters`;
  const example = examples === undefined ? "" : `, such as \`${examples[0]}\``;
  return `${kind}${bounds}${length}${example}${description ? `. ${description}` : ""}`;
}
