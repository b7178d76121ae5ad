/**
 * What a contract says about one function. Each file of this folder holds one contract; the functions
 * parse with its schemas and `openapi.json` is generated from them, so the document cannot promise
 * what the code does not do.
 * @module
 */

import { z } from "zod";
import type { ErrorCode } from "shared/errors.ts";

/** What an operator may do: `support` helps customers, and `owner` may do everything. */
export type OperatorRole = "support" | "owner";

/** One function of the API. */
export type Operation<
  Input extends z.ZodObject = z.ZodObject,
  Data extends z.ZodObject = z.ZodObject,
  OtherData extends z.ZodObject = z.ZodObject,
> = SuccessMessage & {
  /** Name of the Edge Function, and first segment of its path. */
  readonly name: string;
  readonly method: "GET" | "POST";
  /**
   * Who may call it. The `owner` of an account has proven its phone number; `anyone` proves nothing,
   * and neither does a `browser` that another site sends here. `functions-shared/auth/` says how each
   * caller is authenticated.
   */
  readonly caller: "bot" | "owner" | "anyone" | "browser" | "operator" | "razorpay";
  /**
   * The least role of an operator who may call it with a session. Without one, only the holder of the
   * secret key may.
   */
  readonly operatorRole?: OperatorRole;
  readonly summary: string;
  readonly description: string;
  /** The field of `input` that may be given as the path segment after the name. */
  readonly pathField?: string;
  /** The path field, the query and the body, as one object. */
  readonly input: Input;
  /** How the body is written, if not as JSON. */
  readonly bodyType?: "application/x-www-form-urlencoded";
  /** Fields of `input` of which at least one is required. */
  readonly anyOf?: readonly string[];
  /** Whole requests by name, one for each form that a request can take. */
  readonly examples: Readonly<Record<string, Example>>;
  /** The sentence for a request that lacks a required field. */
  readonly missingMessage: string;
  /** What `data` holds in the response with status `SUCCESS`. */
  readonly data: Data;
  /** The type of the file that a success may be instead, if the request asks for one. */
  readonly fileType?: "text/csv";
  /**
   * Whether a browser is sent on to the page of FRONTEND_URL, with `data` in the fragment of the
   * address, whether the request succeeds or fails.
   */
  readonly redirects?: true;
  /** Responses that are neither a success nor an error. */
  readonly otherResponses?: readonly OtherResponse<OtherData>[];
  /** The errors of this function besides those that every function can return. */
  readonly errors: readonly ErrorCode[];
};

/** The sentence of a success: fixed, or made from figures, with an example for the documentation. */
type SuccessMessage =
  | { readonly successMessage: string; readonly exampleMessage?: undefined }
  | {
    readonly successMessage: (...figures: never[]) => string;
    readonly exampleMessage: string;
  };

/** A request for the documentation, and for tools that import `openapi.json`. */
export interface Example {
  readonly summary: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** A response with a status word of its own. */
export interface OtherResponse<Data extends z.ZodObject = z.ZodObject> {
  readonly httpStatus: 200 | 202;
  readonly status: "INSUFFICIENT_CREDITS" | "PENDING";
  readonly exampleMessage: string;
  readonly data?: Data;
}

/**
 * The fields that every request to an operation must have. Testing whether a field is required means
 * parsing with it.
 */
export function requiredFields({ input }: Operation): string[] {
  return Object.entries(input.shape)
    .filter(([, field]) => !z.safeParse(field, undefined).success)
    .map(([name]) => name);
}

/** Whether a request may come without any field, and so without a body. */
export function needsNoField(operation: Operation): boolean {
  return operation.anyOf === undefined && requiredFields(operation).length === 0;
}

/** Errors that any function can return. */
const COMMON_ERRORS = [
  "INVALID_REQUEST",
  "MISSING_FIELD",
  "NOT_FOUND",
  "METHOD_NOT_ALLOWED",
  "INTERNAL",
  "UNAVAILABLE",
] as const satisfies readonly ErrorCode[];

/** Errors for a caller that is not authenticated. */
const CALLER_ERRORS = {
  bot: ["MISSING_BOT_SECRET", "INVALID_BOT_SECRET", "RATE_LIMITED"],
  owner: [
    "PROOF_REQUIRED",
    "INVALID_PROOF",
    "NOT_THE_OWNER",
    "MISSING_BOT_SECRET",
    "INVALID_BOT_SECRET",
    "RATE_LIMITED",
  ],
  anyone: ["RATE_LIMITED"],
  browser: [],
  operator: ["INVALID_SECRET_KEY"],
  razorpay: ["INVALID_WEBHOOK_SIGNATURE"],
} as const satisfies Record<Operation["caller"], readonly ErrorCode[]>;

/** Errors for a session with which nobody, or not this operator, may call. */
const OPERATOR_SESSION_ERRORS = [
  "INVALID_SESSION",
  "ORIGIN_NOT_ALLOWED",
  "SECOND_FACTOR_REQUIRED",
  "NOT_AN_OPERATOR",
] as const satisfies readonly ErrorCode[];

/** Errors of the functions that read a body. */
const BODY_ERRORS = [
  "INVALID_JSON",
  "BODY_TOO_LARGE",
] as const satisfies readonly ErrorCode[];

/** Returns every error that a function can return. */
export function errorsOf(operation: Operation): ErrorCode[] {
  const { caller, operatorRole, method, errors } = operation;
  if (operation.redirects) return ["NOT_FOUND", "METHOD_NOT_ALLOWED", "INTERNAL", ...errors];
  return [
    ...COMMON_ERRORS.filter((code) => code !== "MISSING_FIELD" || !needsNoField(operation)),
    ...CALLER_ERRORS[caller],
    ...(operatorRole ? OPERATOR_SESSION_ERRORS : []),
    ...(operatorRole === "owner" ? ["NOT_ALLOWED" as const] : []),
    ...(method === "POST" ? BODY_ERRORS : []),
    ...errors,
  ];
}
