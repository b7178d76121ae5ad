/**
 * What a contract says of one function. Each file of this folder holds one contract; the functions
 * parse with its schemas and `openapi.json` is generated from them, so the document cannot promise
 * what the code does not do.
 * @module
 */

import type { z } from "zod";
import type { ErrorCode } from "shared/errors.ts";

/** One function of the API. */
export interface Operation<
  Input extends z.ZodObject = z.ZodObject,
  Data extends z.ZodObject = z.ZodObject,
> {
  /** Name of the Edge Function, and first segment of its path. */
  readonly name: string;
  readonly method: "GET" | "POST";
  /**
   * Who may call it. `owner` is somebody who has proven the phone number it is about;
   * `functions-shared/auth/caller.ts` and `principal.ts` tell how each proves itself.
   */
  readonly caller: "bot" | "owner" | "anyone" | "operator" | "razorpay";
  readonly summary: string;
  readonly description: string;
  /** Which field of `input` may come as the path segment after the name. */
  readonly pathField?: string;
  /** The path field, the query and the body, as one object. */
  readonly input: Input;
  /** Fields of `input` of which at least one has to be there. */
  readonly oneOf?: readonly string[];
  /** The sentence for a request that lacks a required field. */
  readonly missing: string;
  /** What `data` holds in the answer with status `SUCCESS`. */
  readonly data: Data;
  /** The message of a successful answer, as an example. */
  readonly message: string;
  /** Answers that are neither a success nor an error. */
  readonly otherAnswers?: readonly OtherAnswer[];
  /** The errors of this function beyond those that every function can answer. */
  readonly errors: readonly ErrorCode[];
}

/** An answer with a status word of its own. */
export interface OtherAnswer {
  readonly httpStatus: 200 | 202;
  readonly status: "INSUFFICIENT_CREDITS" | "PENDING";
  readonly message: string;
  readonly data?: z.ZodObject;
}

/** Errors that any function can answer. */
export const COMMON_ERRORS = [
  "INVALID_REQUEST",
  "MISSING_FIELD",
  "NOT_FOUND",
  "METHOD_NOT_ALLOWED",
  "INTERNAL",
  "UNAVAILABLE",
] as const satisfies readonly ErrorCode[];

/** Errors of a caller that does not prove itself. */
export const CALLER_ERRORS = {
  bot: ["MISSING_BOT_SECRET", "INVALID_BOT_SECRET", "RATE_LIMITED"],
  owner: [
    "PROOF_REQUIRED",
    "INVALID_PROOF",
    "NOT_THE_OWNER",
    "INVALID_BOT_SECRET",
    "RATE_LIMITED",
  ],
  anyone: ["RATE_LIMITED"],
  operator: ["INVALID_SECRET_KEY"],
  razorpay: ["INVALID_WEBHOOK_SIGNATURE"],
} as const satisfies Record<Operation["caller"], readonly ErrorCode[]>;

/** Errors of the functions that read a body. */
export const BODY_ERRORS = [
  "INVALID_JSON",
  "BODY_TOO_LARGE",
] as const satisfies readonly ErrorCode[];
