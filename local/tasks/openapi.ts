/**
 * `deno task openapi`: writes `openapi.json`, the contract of `functions-shared/contract/` as
 * OpenAPI 3.1.
 *
 * `deno task openapi --check` fails if the committed file is not up to date.
 * @module
 */

import { z } from "zod";
import { errorsOf, type Operation } from "shared/contract/operation.ts";
import { OPERATIONS } from "shared/contract/operations.ts";
import { ERRORS } from "shared/errors.ts";
import configuration from "../../deno.json" with { type: "json" };
import { writeGenerated } from "../system/generated-file.ts";

type Json = Record<string, unknown>;

const REQUEST_ID_HEADER = {
  description: "Identifies the request in the logs. A well-formed id from the caller is reused.",
  schema: { type: "string" },
};

/** The credentials of each kind of caller. One of the entries is enough. */
const SECURITY: Record<Operation["caller"], Record<string, string[]>[]> = {
  bot: [{ bot: [] }],
  owner: [{ link: [] }, { session: [] }, { bot: [] }, { operator: [] }],
  anyone: [{}],
  operator: [{ operator: [] }],
  razorpay: [{ razorpay: [] }],
};

/** Returns the whole document. */
function openApiDocument(): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "Credits for WhatsApp AI bots",
      version: configuration.version,
      description:
        "Every response has the same envelope: `status`, `message`, and `data` on success or `code` " +
        "on errors.",
    },
    servers: [{ url: "http://127.0.0.1:54321/functions/v1", description: "deno task start" }],
    paths: Object.assign({}, ...OPERATIONS.map(pathsOf)),
    components: {
      securitySchemes: {
        bot: { type: "apiKey", in: "header", name: "x-bot-secret" },
        operator: { type: "apiKey", in: "header", name: "apikey" },
        razorpay: { type: "apiKey", in: "header", name: "x-razorpay-signature" },
        link: { type: "apiKey", in: "header", name: "x-access-token" },
        session: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
      },
      headers: { "x-request-id": REQUEST_ID_HEADER },
      schemas: Object.fromEntries(
        Object.entries(ERRORS).map(([code, { message }]) => [code, errorEnvelope(code, message)]),
      ),
    },
  };
}

/** A path field may be sent in the path or the query. OpenAPI needs a path for each form. */
function pathsOf(operation: Operation): Json {
  const { name, method, pathField } = operation;
  const verb = method.toLowerCase();
  const paths: Json = {
    [`/${name}`]: { [verb]: operationObject(operation, { pathField: undefined }) },
  };
  if (pathField) {
    paths[`/${name}/{${pathField}}`] = { [verb]: operationObject(operation, { pathField }) };
  }
  return paths;
}

function operationObject(
  operation: Operation,
  { pathField }: { pathField: string | undefined },
): Json {
  const { name, method, caller, summary, description, input } = operation;
  const schema = jsonSchema(input);
  return {
    operationId: pathField ? `${name}-by-path` : name,
    summary,
    description,
    security: SECURITY[caller],
    ...(method === "GET"
      ? { parameters: parametersOf(schema, pathField) }
      : { parameters: headersOf(input), requestBody: bodyOf(schema) }),
    responses: responsesOf(operation),
  };
}

function parametersOf(schema: Json, pathField: string | undefined): Json[] {
  const required = [...(schema.required ?? []) as string[], pathField];
  return Object.entries(schema.properties as Record<string, Json>).map(
    ([name, { description, ...property }]) => ({
      name,
      in: name === pathField ? "path" : "query",
      required: required.includes(name),
      description,
      schema: property,
    }),
  );
}

function headersOf(input: z.ZodObject): Json[] {
  if (!("reference_id" in input.shape)) return [];
  return [{
    name: "Idempotency-Key",
    in: "header",
    description: "Same as `reference_id`; used if the body has none.",
    schema: { type: "string", maxLength: 255 },
  }];
}

function bodyOf(schema: Json): Json {
  return { required: true, content: { "application/json": { schema } } };
}

function responsesOf(operation: Operation): Json {
  const { data, otherResponses = [] } = operation;
  const message = exampleMessageOf(operation);
  const responses = [
    { httpStatus: 200, description: message, schema: envelope("SUCCESS", message, data) },
    ...otherResponses.map((other) => ({
      httpStatus: other.httpStatus,
      description: other.exampleMessage,
      schema: envelope(other.status, other.exampleMessage, other.data),
    })),
    ...errorsOf(operation).map((code) => ({
      httpStatus: ERRORS[code].status,
      description: code,
      schema: { $ref: `#/components/schemas/${code}` },
    })),
  ];
  const byStatus = Map.groupBy(responses, ({ httpStatus }) => httpStatus);
  return Object.fromEntries(
    [...byStatus].sort(([one], [other]) => one - other).map(([httpStatus, group]) => [
      httpStatus,
      {
        description: group.map(({ description }) => description).join(" | "),
        headers: { "x-request-id": { $ref: "#/components/headers/x-request-id" } },
        content: { "application/json": { schema: oneOf(group.map(({ schema }) => schema)) } },
      },
    ]),
  );
}

function exampleMessageOf(operation: Operation): string {
  return operation.exampleMessage === undefined
    ? operation.successMessage
    : operation.exampleMessage;
}

function oneOf(schemas: readonly Json[]): Json {
  const [only, ...others] = schemas;
  return only && others.length === 0 ? only : { oneOf: schemas };
}

function envelope(status: string, example: string, data: z.ZodObject | undefined): Json {
  return {
    type: "object",
    properties: {
      status: { const: status },
      message: { type: "string", examples: [example] },
      ...(data && { data: jsonSchema(data) }),
    },
    required: ["status", "message", ...(data ? ["data"] : [])],
    additionalProperties: false,
  };
}

function errorEnvelope(code: string, example: string): Json {
  return {
    type: "object",
    properties: {
      status: { const: "ERROR" },
      message: { type: "string", examples: [example] },
      code: { const: code },
    },
    required: ["status", "message", "code"],
    additionalProperties: false,
  };
}

/** Documents a schema by its input, before any transformation. */
function jsonSchema(schema: z.ZodObject): Json {
  const { $schema: _, ...document } = z.toJSONSchema(schema, { io: "input" });
  return document;
}

await writeGenerated("openapi.json", JSON.stringify(openApiDocument(), null, 2) + "\n");
