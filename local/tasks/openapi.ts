/**
 * `deno task openapi`: writes `openapi.json`, the contract of `functions-shared/contract/` as
 * OpenAPI 3.1.
 *
 * `deno task openapi --check` fails if the committed file is not up to date. `deno task lint-openapi`
 * holds it against the tools that import it.
 * @module
 */

import { z } from "zod";
import { EVENTS, type EventType, exampleOf } from "shared/contract/events.ts";
import {
  errorsOf,
  type Example,
  needsNoField,
  type Operation,
  requiredFields,
} from "shared/contract/operation.ts";
import { OPERATIONS } from "shared/contract/operations.ts";
import { ERRORS } from "shared/errors.ts";
import configuration from "../../deno.json" with { type: "json" };
import { writeGenerated } from "../system/generated-file.ts";

type Json = Record<string, unknown>;

const REQUEST_ID_HEADER = {
  description: "Identifies the request in the logs. A well-formed id from the caller is reused.",
  schema: { type: "string" },
};

const SECURITY_SCHEMES = {
  botSecret: {
    type: "apiKey",
    in: "header",
    name: "x-bot-secret",
    description: "The bot: the value of `BOT_SECRET`.",
  },
  secretKey: {
    type: "apiKey",
    in: "header",
    name: "apikey",
    description: "The operator and the scheduler: a secret key of the Supabase project, " +
      "`sb_secret_...`. Never put it into a page.",
  },
  linkToken: {
    type: "apiKey",
    in: "header",
    name: "x-access-token",
    description: "The owner of an account: the token of a link that `bot-link` made.",
  },
  session: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description:
      "The owner of an account: a session of Supabase Auth with a confirmed phone number.",
  },
  operatorSession: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description:
      "An operator who has signed in: a session of Supabase Auth, with a second factor where one is " +
      "required. From a page, only one of `CONSOLE_ORIGIN`.",
  },
  eventSignature: {
    type: "apiKey",
    in: "header",
    name: "webhook-signature",
    description:
      "This backend, when it tells the bot of an event: `v1,` and, in base64, the HMAC-SHA256 of " +
      "`webhook-id`, `webhook-timestamp` and the body, joined by dots, under `EVENTS_SECRET` (Standard " +
      "Webhooks). Two of them, separated by a space, while the secret is changed.",
  },
  razorpaySignature: {
    type: "apiKey",
    in: "header",
    name: "x-razorpay-signature",
    description: "Razorpay: the HMAC-SHA256 of the body under `RAZORPAY_WEBHOOK_SECRET`, in " +
      "hexadecimal. It differs for every request.",
  },
};

const PROOFS: Requirement[] = [{ linkToken: [] }, { session: [] }];
const TRUSTED: Requirement[] = [{ botSecret: [] }, { secretKey: [] }];

/** The credentials of each kind of caller. One of the entries is enough; `{}` stands for none. */
const SECURITY: Record<Operation["caller"], Requirement[]> = {
  bot: [{ botSecret: [] }],
  owner: [...PROOFS, ...TRUSTED],
  anyone: [{}, ...PROOFS, ...TRUSTED],
  browser: [{}],
  operator: [{ secretKey: [] }],
  razorpay: [{ razorpaySignature: [] }],
};

/** The credentials of an operation: those of its caller, and of an operator if one may sign in for it. */
function securityOf({ caller, operatorRole }: Operation): Requirement[] {
  return operatorRole ? [...SECURITY[caller], { operatorSession: [] }] : SECURITY[caller];
}

type Requirement = Partial<Record<keyof typeof SECURITY_SCHEMES, never[]>>;

/** The groups in which tools show the operations. */
const TAGS: Record<Operation["caller"], string> = {
  bot: "Bot",
  owner: "Page",
  anyone: "Page",
  browser: "Page",
  operator: "Operator",
  razorpay: "Razorpay",
};

/** What every request to the bot carries (Standard Webhooks). */
const EVENT_HEADERS = {
  "webhook-id": "The event's id, the same at every attempt. Drop an event that you have handled.",
  "webhook-timestamp": "When this attempt was made, in seconds since 1970. Refuse one that is old.",
};

const EVENT_ANSWERS = {
  "2XX": { description: "The event has arrived. Any other status but 410 makes it come again." },
  "410": { description: "Nothing more is sent to this address until an operator resumes it." },
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
      contact: { name: "The WhatsApp credits authors" },
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [
      {
        url: "http://127.0.0.1:54321/functions/v1",
        description: "The stack of `deno task start`, on its default port",
      },
      {
        url: "https://{project}.supabase.co/functions/v1",
        description: "A hosted Supabase project",
        variables: {
          project: {
            default: "your-project-ref",
            description: "The project's reference: the 20 letters in its address.",
          },
        },
      },
    ],
    tags: [
      { name: "Bot", description: "What the WhatsApp bot calls." },
      { name: "Page", description: "What a web page calls for a customer." },
      { name: "Operator", description: "What an operator and the scheduler call." },
      { name: "Razorpay", description: "What Razorpay calls." },
      { name: "Events", description: "What the bot is told, at the addresses in `EVENTS_URL`." },
    ],
    paths: Object.assign({}, ...OPERATIONS.map(pathsOf)),
    webhooks: Object.fromEntries(EVENTS.map((event) => [event.type, { post: webhookOf(event) }])),
    components: {
      securitySchemes: SECURITY_SCHEMES,
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
  const { name, method, caller, summary, description } = operation;
  return {
    operationId: camelCase(pathField ? `${name}-by-${pathField}` : name),
    tags: [TAGS[caller]],
    summary,
    description,
    security: securityOf(operation),
    ...(method === "GET"
      ? { parameters: parametersOf(operation, pathField) }
      : { parameters: headersOf(operation), requestBody: bodyOf(operation) }),
    responses: responsesOf(operation),
  };
}

/** The request by which the bot is told of an event. */
function webhookOf(event: EventType): Json {
  const { type, summary, description, body } = event;
  return {
    operationId: camelCase(`on-${type.replace(".", "-")}`),
    tags: ["Events"],
    summary,
    description,
    security: [{ eventSignature: [] }],
    parameters: Object.entries(EVENT_HEADERS).map(([name, description]) => ({
      name,
      in: "header",
      required: true,
      description,
      schema: { type: "string" },
    })),
    requestBody: {
      required: true,
      content: {
        "application/json": {
          schema: jsonSchema(body),
          examples: { one: { summary, value: exampleOf(event) } },
        },
      },
    },
    responses: EVENT_ANSWERS,
  };
}

/** Names that generators turn into functions: `bot-credits` becomes `botCredits`. */
function camelCase(name: string): string {
  return name.replaceAll(/[-_](\w)/g, (_, letter: string) => letter.toUpperCase());
}

function parametersOf(operation: Operation, pathField: string | undefined): Json[] {
  const schema = jsonSchema(operation.input);
  const required = [...(schema.required ?? []) as string[], pathField];
  const examples = Object.fromEntries(
    Object.entries(operation.examples)
      .filter(([, { input }]) => pathField === undefined || pathField in input),
  );
  return Object.entries(schema.properties as Record<string, Json>).map(([name, field]) => {
    const { description, ...property } = withoutNull(field);
    return {
      name,
      in: name === pathField ? "path" : "query",
      required: required.includes(name),
      description,
      schema: property,
      examples: examplesOf(examples, (fields) => fields[name]),
    };
  });
}

/** A field that may be null is a choice between what it holds and null, which no query can express. */
function withoutNull(field: Json): Json {
  const [content] = (field.anyOf ?? [field]) as Json[];
  return { ...field, ...content, anyOf: undefined };
}

function headersOf(operation: Operation): Json[] {
  if (!("reference_id" in operation.input.shape)) return [];
  const isRequired = requiredFields(operation).includes("reference_id");
  return [{
    name: "Idempotency-Key",
    in: "header",
    description: "Takes the place of `reference_id` if the body has none" +
      (isRequired ? ", although the schema of the body requires it." : "."),
    schema: { type: "string", maxLength: 255 },
  }];
}

function bodyOf(operation: Operation): Json {
  const schema = jsonSchema(operation.input);
  const examples = examplesOf(operation.examples, (fields) => fields);
  return {
    required: !needsNoField(operation),
    content: { [operation.bodyType ?? "application/json"]: { schema, examples } },
  };
}

/** The examples as OpenAPI writes them, without those for which `valueOf` returns nothing. */
function examplesOf(
  examples: Operation["examples"],
  valueOf: (fields: Example["input"]) => unknown,
): Json {
  return Object.fromEntries(
    Object.entries(examples)
      .map(([name, { summary, input }]) => [name, { summary, value: valueOf(input) }] as const)
      .filter(([, { value }]) => value !== undefined),
  );
}

function responsesOf(operation: Operation): Json {
  const { data, otherResponses = [] } = operation;
  const message = exampleMessageOf(operation);
  const success = {
    httpStatus: 200,
    description: message,
    schema: envelope("SUCCESS", message, data),
  };
  const responses = [
    ...(operation.redirects ? [] : [success]),
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
  const file = operation.fileType && { [operation.fileType]: { schema: { type: "string" } } };
  const answers = Object.fromEntries(
    [...byStatus].sort(([one], [other]) => one - other).map(([httpStatus, group]) => [
      httpStatus,
      {
        description: group.map(({ description }) => description).join(" | "),
        headers: { "x-request-id": { $ref: "#/components/headers/x-request-id" } },
        content: {
          "application/json": { schema: oneOf(group.map(({ schema }) => schema)) },
          ...(httpStatus === 200 && file),
        },
      },
    ]),
  );
  return operation.redirects ? { 303: redirectionOf(operation), ...answers } : answers;
}

/** A response without a body, which names the page. */
function redirectionOf({ data }: Operation): Json {
  const fields = Object.entries(jsonSchema(data).properties as Record<string, Json>)
    .map(([name, { description }]) => `\`${name}\` (${description})`);
  return {
    description: "See other",
    headers: {
      "x-request-id": { $ref: "#/components/headers/x-request-id" },
      location: {
        description: `The page of \`FRONTEND_URL\`, with ${fields.join(" and ")} in its fragment.`,
        required: true,
        schema: { type: "string", format: "uri" },
      },
    },
  };
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
  return JSON.parse(JSON.stringify(document), (key, value) => {
    return key === "pattern" && typeof value === "string" ? portablePattern(value) : value;
  });
}

/**
 * Spells a pattern so that it means the same to tools that read it without the flag `u`. Unpaired
 * surrogates cannot be told without it, so the document leaves them out.
 */
function portablePattern(pattern: string): string {
  const portable = pattern
    .replaceAll("\\0", "\\u0000")
    .replaceAll("\\p{Cc}", "\\u0000-\\u001f\\u007f-\\u009f")
    .replaceAll("\\p{Cs}", "");
  if (/\\p/i.test(portable)) throw new Error(`No portable spelling is known for ${pattern}`);
  return portable;
}

await writeGenerated("openapi.json", JSON.stringify(openApiDocument(), null, 2) + "\n");
