/**
 * `openapi.json`, and whether an answer is one that it documents.
 * @module
 */

import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/2020";
import { z } from "zod";

const response = z.object({
  headers: z.record(z.string(), z.unknown()),
  content: z.record(z.string(), z.object({ schema: z.looseObject({}) })).optional(),
});

const document = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        parameters: z.array(
          z.looseObject({ name: z.string(), in: z.string(), schema: z.looseObject({}) }),
        ),
        requestBody: z.object({
          content: z.record(z.string(), z.object({ schema: z.looseObject({}) })),
        }).optional(),
        responses: z.record(z.string(), response),
      }),
    ),
  ),
});

const content: unknown = JSON.parse(
  await Deno.readTextFile(new URL("../../../openapi.json", import.meta.url)),
);

/** The operations of the document, by path and method in lower case. */
export const PATHS = document.parse(content).paths;

/** An answer, with what its body holds. */
export interface ReadAnswer {
  readonly httpStatus: number;
  readonly headers: Headers;
  /** Parsed JSON; text for any other type; undefined for an answer without a body. */
  readonly body: unknown;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(content as object, "openapi.json");

/** Says why a value does not fit a part of the document, given by its names from the top. */
export function misfit(parts: readonly string[], value: unknown): string | undefined {
  const pointer = parts
    .map((part) => part.replaceAll("~", "~0").replaceAll("/", "~1"))
    .map(encodeURIComponent)
    .join("/");
  const validate = ajv.getSchema(`openapi.json#/${pointer}`);
  if (validate === undefined) return `openapi.json has no ${parts.join(" ")}`;
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}

/** Says in what an answer differs from those that the document has for this path and method. */
export function undocumented(
  path: string,
  method: string,
  { httpStatus, headers, body }: ReadAnswer,
): string[] {
  const operation = PATHS[path]?.[method.toLowerCase()];
  if (operation === undefined) return [`${method} ${path} is not documented`];
  const documented = operation.responses[httpStatus];
  if (documented === undefined) return [`${method} ${path} does not document ${httpStatus}`];
  const missing = Object.keys(documented.headers)
    .filter((name) => !headers.has(name))
    .map((name) => `${name} is missing`);
  if (documented.content === undefined) {
    return body === undefined ? missing : [...missing, `${httpStatus} has no body in the document`];
  }
  const [type = ""] = (headers.get("content-type") ?? "").split(";");
  if (!(type in documented.content)) return [...missing, `the type ${type} is not documented`];
  const responses = ["paths", path, method.toLowerCase(), "responses", String(httpStatus)];
  const fault = misfit([...responses, "content", type, "schema"], body);
  return fault === undefined
    ? missing
    : [...missing, `${method} ${path} ${httpStatus}: ${fault} in ${JSON.stringify(body)}`];
}
