/**
 * Builds an Edge Function from a contract and a handler. Everything that all functions have in common
 * happens here, in the order in which it is written.
 * @module
 */

import { z } from "zod";
import { requireBot, requireRazorpay, requireSignature } from "shared/auth/caller.ts";
import {
  type ActingOperator,
  actingOperator,
  requireOperator,
  type SignedInOperator,
} from "shared/auth/operator.ts";
import { type Principal, principalOf, warnOfPublicAccess } from "shared/auth/principal.ts";
import { needsNoField, type Operation, requiredFields } from "shared/contract/operation.ts";
import { ERRORS, RequestError } from "shared/errors.ts";
import { corsHeaders, preflight } from "shared/http/cors.ts";
import { logRequest } from "shared/http/log.ts";
import { failure, type Reply } from "shared/http/reply.ts";
import { bodyBytes, formFields, jsonFields, pathAfter, queryFields } from "shared/http/request.ts";

/** Razorpay's events carry whole entities with their notes; every other body is small. */
const MAX_BODY_BYTES = {
  bot: 16 * 1024,
  owner: 16 * 1024,
  anyone: 16 * 1024,
  browser: 16 * 1024,
  operator: 16 * 1024,
  razorpay: 256 * 1024,
} satisfies Record<Operation["caller"], number>;

/**
 * Responses hold balances and tokens, and a cache on the way may not know the header that authenticates
 * the caller. So no response is cached, or read as another type than it declares.
 */
const PROTECTIVE_HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** What a handler gets besides its input. */
export interface Context {
  readonly headers: Headers;
  readonly principal: Principal;
  /** Who acts, in the functions for operators. */
  readonly operator: ActingOperator;
  /** The body as it was sent. */
  readonly bodyText: string;
}

/** What the platform serves: `export default endpoint(...)`. */
export interface EdgeFunction {
  fetch(request: Request): Promise<Response>;
}

/**
 * Returns the Edge Function of `operation`. `handler` gets the parsed input and returns the reply. What
 * it throws becomes an error response; only a {@linkcode RequestError} and a failure of Razorpay tell
 * the caller what went wrong. `replyToError` is for a function whose callers cannot read an error.
 */
export function endpoint<
  Input extends z.ZodObject,
  Data extends z.ZodObject,
  OtherData extends z.ZodObject = never,
>(
  operation: Operation<Input, Data, OtherData>,
  handler: (
    input: z.output<Input>,
    context: Context,
  ) => Promise<Reply<z.input<Data>> | Reply<z.input<OtherData>>>,
  replyToError: (error: unknown, request: Request) => Reply<z.input<Data>> = failure,
): EdgeFunction {
  const methods = `${operation.method}, OPTIONS`;
  // Computed once, because it requires parsing.
  const required = requiredFields(operation);
  const isBodyOptional = needsNoField(operation);
  // A session says who acts, and the secret key does not. Where nothing is changed, nobody acts, and the
  // field is a filter.
  const requiredWithKey = operation.method === "POST" && "operator" in operation.input.shape
    ? [...required, "operator"]
    : required;
  if (operation.caller === "owner") warnOfPublicAccess();

  async function replyTo(request: Request): Promise<Reply> {
    const url = new URL(request.url);
    const path = pathAfter(operation.name, url, operation.pathField ? 1 : 0);
    if (request.method !== operation.method) {
      throw new RequestError("METHOD_NOT_ALLOWED", { headers: { allow: methods } });
    }
    const { principal, signedIn, body } = await authenticated(operation, request);
    const fields = operation.method === "GET"
      ? withPathField(operation, path, queryFields(url))
      : operation.bodyType !== undefined
      ? formFields(body)
      : withReference(operation, request, isBodyOptional && isEmpty(body) ? {} : jsonFields(body));
    const input = parse(operation, signedIn ? required : requiredWithKey, fields);
    return await handler(input, {
      headers: request.headers,
      principal,
      operator: actingOperator(signedIn, input),
      bodyText: new TextDecoder().decode(body),
    });
  }

  return {
    async fetch(request) {
      const startedAt = performance.now();
      const requestId = requestIdOf(request);
      const origin = request.headers.get("origin");
      if (request.method === "OPTIONS") {
        return new Response(null, {
          status: 204,
          headers: {
            ...PROTECTIVE_HEADERS,
            ...preflight(operation, origin),
            "x-request-id": requestId,
          },
        });
      }
      const reply = await replyTo(request)
        .catch((error) => replyToError(error, request))
        .catch(failure);
      const durationMs = Math.round(performance.now() - startedAt);
      logRequest({ operation, request, requestId, reply, durationMs });
      return new Response(reply.file?.text ?? JSON.stringify(reply.body), {
        status: reply.httpStatus,
        headers: {
          ...PROTECTIVE_HEADERS,
          "content-type": reply.file?.contentType ?? "application/json",
          ...corsHeaders(operation, origin),
          ...reply.headers,
          "x-request-id": requestId,
        },
      });
    },
  };
}

/**
 * A caller's request id is reused if it is harmless in a log and in a header. One that may hold a phone
 * number is not; the response says which id the log has instead.
 */
function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id") ?? "";
  const isHarmless = /^[A-Za-z0-9._-]{8,128}$/.test(given) &&
    !/[0-9]{7}/.test(given.replaceAll(RANDOM_ID, ""));
  return isHarmless ? given : crypto.randomUUID();
}

/** A UUID or a trace id, whose digits are random. */
const RANDOM_ID = /[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}/gi;

/**
 * Authenticates the caller and reads the body. Header credentials are checked before the body is read;
 * Razorpay signs the body, so of its signature only the form can be.
 */
async function authenticated(
  operation: Operation,
  request: Request,
): Promise<{
  principal: Principal;
  signedIn: SignedInOperator | undefined;
  body: BufferSource;
}> {
  const { caller } = operation;
  const { headers } = request;
  let signedIn: SignedInOperator | undefined;
  let principal: Principal = { kind: "trusted" };
  if (caller === "bot") await requireBot(headers);
  if (caller === "operator") signedIn = await requireOperator(operation, headers);
  if (caller === "razorpay") requireSignature(headers);
  if (caller === "owner") principal = await principalOf(headers);
  if (principal.kind === "nobody") throw new RequestError("PROOF_REQUIRED");
  // Anyone may pay for anyone; an invalid proof only hides what a valid one would show.
  if (caller === "anyone") principal = await principalOf(headers).catch(nobody);
  if (caller === "browser") principal = { kind: "nobody" };

  const body = await bodyBytes(request, MAX_BODY_BYTES[caller]);
  if (caller === "razorpay") await requireRazorpay(headers, body);
  return { principal, signedIn, body };
}

function isEmpty(body: BufferSource): boolean {
  return body.byteLength === 0;
}

/** A caller whose proof was refused is a stranger; one whose proof could not be checked is not. */
function nobody(error: unknown): Principal {
  if (error instanceof RequestError && ERRORS[error.code].status < 500) return { kind: "nobody" };
  throw error;
}

function withPathField(
  { pathField }: Operation,
  [segment]: string[],
  fields: Record<string, string>,
): Record<string, string> {
  if (pathField === undefined || segment === undefined) return fields;
  if (pathField in fields) {
    throw new RequestError("INVALID_REQUEST", {
      message: `${pathField} is given in the path and in the query`,
    });
  }
  return { ...fields, [pathField]: segment };
}

/** If the body has no `reference_id`, the `Idempotency-Key` header takes its place. */
function withReference(
  { input }: Operation,
  request: Request,
  fields: Record<string, unknown>,
): Record<string, unknown> {
  const key = request.headers.get("idempotency-key");
  if (!("reference_id" in input.shape) || key === null) return fields;
  return { ...fields, reference_id: fields.reference_id ?? key };
}

function parse<Input extends z.ZodObject>(
  { input, anyOf, missingMessage }: Operation<Input>,
  required: string[],
  fields: Record<string, unknown>,
): z.output<Input> {
  const isMissing = (name: string) => fields[name] == null || fields[name] === "";
  if (required.some(isMissing) || anyOf?.every(isMissing)) {
    throw new RequestError("MISSING_FIELD", { message: missingMessage });
  }

  const result = input.safeParse(fields);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new RequestError(
    "INVALID_REQUEST",
    issue && { message: `${issue.path.join(".")} ${issue.message}` },
  );
}
