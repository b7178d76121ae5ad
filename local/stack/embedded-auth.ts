/**
 * What a hosted project's Auth has and the embedded one lacks, as far as this project uses it: the admin
 * API, to make a user whose address counts as confirmed, and the headers that let a page of another
 * origin sign in.
 * @module
 */

import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** What the embedded Auth is asked with. */
interface EmbeddedAuth {
  readonly secretKey: string;
  readonly publishableKey: string;
  /** Answers requests to the embedded Auth. */
  readonly fetch: (request: Request) => Promise<Response>;
}

const newUser = z.object({ email: z.string(), password: z.string() });
const signedUp = z.object({ access_token: z.string(), user: z.looseObject({}) });
const failed = z.looseObject({ error_code: z.string() });

/** Answers a request for `/auth/v1`. */
export async function answerAuth(request: Request, auth: EmbeddedAuth): Promise<Response> {
  const { method, url, headers } = request;
  if (method === "OPTIONS") {
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
        "access-control-allow-headers": headers.get("access-control-request-headers") ?? "",
      },
    });
  }
  const isForAdmin = method === "POST" && new URL(url).pathname === "/auth/v1/admin/users";
  const answer = await (isForAdmin ? makeUser(request, auth) : auth.fetch(request));
  const readable = new Response(answer.body, answer);
  readable.headers.set("access-control-allow-origin", "*");
  return readable;
}

async function makeUser(
  request: Request,
  { secretKey, publishableKey, fetch }: EmbeddedAuth,
): Promise<Response> {
  if (!isSame(request.headers.get("apikey") ?? "", secretKey)) {
    return refusal(403, "not_admin", "User not allowed");
  }
  const { success, data } = newUser.safeParse(await request.json().catch(() => undefined));
  if (!success) {
    return refusal(400, "bad_json", "Could not parse request body");
  }
  const ask = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(
      new Request(new URL(path, request.url), {
        method: "POST",
        headers: { apikey: publishableKey, "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),
    );
  const answer = await ask("/auth/v1/signup", data);
  const body = await answer.json();
  if (!answer.ok) {
    // The two APIs have a code of their own for the same thing.
    const failure = failed.parse(body);
    const error_code = failure.error_code.replace("user_already_exists", "email_exists");
    return Response.json({ ...failure, error_code }, { status: answer.status });
  }
  // Signing up signs in, which nobody has asked for.
  const { access_token, user } = signedUp.parse(body);
  const signedOut = await ask("/auth/v1/logout", {}, { authorization: `Bearer ${access_token}` });
  await signedOut.body?.cancel();
  return Response.json(user);
}

function refusal(status: number, error_code: string, msg: string): Response {
  return Response.json({ code: status, error_code, msg }, { status });
}

function isSame(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
}
