/**
 * A whole backend for one test file: a database of its own, the Data API and the functions over HTTP,
 * and a Razorpay stand-in. The functions read this process's environment, as they do when deployed.
 * @module
 */

import { deepStrictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { startDataApi } from "../../local/stack/data-api.ts";
import { functionEnvironment, type StackEnvironment } from "../../local/stack/environment.ts";
import { deferFunctions } from "../../local/stack/functions.ts";
import { startGateway } from "../../local/stack/gateway.ts";
import { claimPort } from "../../local/system/ports.ts";
import { type RazorpayStandIn, startRazorpay } from "../../local/razorpay/server.ts";
import { generateSecrets, type Secrets, sessionKeys } from "../../local/stack/secrets.ts";
import { setEnvironment } from "../../local/stack/stack.ts";
import { assertNothingLeaked, keepPrivate } from "./private-values.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";
import { liftLimits } from "./rate-limits.ts";

/** A running backend. */
export interface Backend {
  /** What a client of it needs. `SUPABASE_URL` also serves the functions, for supabase-js. */
  readonly environment: StackEnvironment;
  readonly database: TestDatabase;
  /** Queries as the role that owns the tables: `database.sql`. */
  readonly sql: postgres.Sql;
  readonly razorpay: RazorpayStandIn;
  /** All keys and secrets, including the keys of users' sessions. */
  readonly secrets: Secrets;
  /**
   * Fails if the books break an invariant or the log holds what is private; stops everything and
   * removes the database either way.
   */
  stop(): Promise<void>;
}

const SECRETS = [
  "secretKey",
  "jwtSecret",
  "botSecret",
  "razorpayKeySecret",
  "razorpayWebhookSecret",
  "erasureSecret",
  "eventsSecret",
] as const;

/** Starts a backend. A test file has one, and stops it with `Deno.test.afterAll`. */
export async function startBackend(): Promise<Backend> {
  const parts = new AsyncDisposableStack();
  try {
    const secrets = await generateSecrets();
    for (const name of SECRETS) keepPrivate(secrets[name]);
    keepPrivate(secrets.sessionKey.d);
    const database = await createTestDatabase();
    parts.defer(() => database.drop());
    await liftLimits(database.sql);
    const razorpay = await startRazorpay({
      port: claimPort(0, "RAZORPAY_PORT"),
      keyId: secrets.razorpayKeyId,
      keySecret: secrets.razorpayKeySecret,
      webhookSecret: secrets.razorpayWebhookSecret,
    });
    parts.defer(() => razorpay.stop());
    const dataApi = await startDataApi({ databaseUrl: database.url, ...secrets });
    parts.defer(() => dataApi.close());
    const gateway = startGateway({ port: 0, dataApi, functions: await deferFunctions() });
    parts.defer(() => gateway.stop());

    const environment: StackEnvironment = {
      SUPABASE_URL: gateway.url,
      SUPABASE_PUBLISHABLE_KEY: secrets.publishableKey,
      SUPABASE_SECRET_KEY: secrets.secretKey,
      DATABASE_URL: database.url,
      BOT_SECRET: secrets.botSecret,
      RAZORPAY_KEY_ID: secrets.razorpayKeyId,
      RAZORPAY_KEY_SECRET: secrets.razorpayKeySecret,
      RAZORPAY_WEBHOOK_SECRET: secrets.razorpayWebhookSecret,
      ERASURE_SECRET: secrets.erasureSecret,
      RAZORPAY_API_URL: razorpay.url,
      EVENTS_SECRET: secrets.eventsSecret,
      FRONTEND_URL: "http://127.0.0.1:54324/",
      CONSOLE_ORIGIN: "http://127.0.0.1:54325",
    };
    setEnvironment(functionEnvironment(environment, { sessionKeys: sessionKeys(secrets) }));
    return {
      environment,
      database,
      sql: database.sql,
      razorpay,
      secrets,
      async stop() {
        try {
          await assertBooksAreRight(database.sql);
          await assertNewBooksAreRight(database.sql);
          assertNothingLeaked();
        } finally {
          await parts.disposeAsync();
        }
      },
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

/** Fails with every violated invariant of the books. */
export async function assertBooksAreRight(sql: postgres.Sql): Promise<void> {
  const violations = await sql`select invariant, subject, detail from public.check_invariants()`;
  deepStrictEqual([...violations], []);
}

/** Fails with every invariant that the check of what is new finds violated in all that was ever new. */
export async function assertNewBooksAreRight(sql: postgres.Sql): Promise<void> {
  const violations = await sql`
    select invariant, subject, detail from public.check_invariants(since => '-infinity')`;
  deepStrictEqual([...violations], []);
}
