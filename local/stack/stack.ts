/**
 * The whole backend on one machine: starts the parts in the order in which they depend on each
 * other, and stops them in reverse order.
 *
 * PostgreSQL, with the migrations and the seed; the Razorpay stand-in; the Data API; the gateway
 * with the project's functions. A part that the settings give is used instead of the embedded one.
 * @module
 */

import { join } from "node:path";
import { type Database, startDatabase, useDatabase } from "../postgres/database.ts";
import { startRazorpay } from "../razorpay/server.ts";
import { PRIVATE_FILE } from "../system/files.ts";
import { lockFolder } from "../system/folder-lock.ts";
import { makeLocalFolder } from "../system/local-folder.ts";
import { claimPort } from "../system/ports.ts";
import type { GivenRazorpay, Settings } from "../system/settings.ts";
import type { Progress } from "../system/task.ts";
import { type DataApi, forwardDataApi, startDataApi } from "./data-api.ts";
import { formatEnvFile, functionEnvironment, type StackEnvironment } from "./environment.ts";
import { loadFunctions } from "./functions.ts";
import { startGateway } from "./gateway.ts";
import { checkOptions } from "./options.ts";
import { type Pages, servePages } from "./pages.ts";
import { startScheduler } from "./scheduler.ts";
import { loadSecrets, type Secrets, sessionKeys } from "./secrets.ts";

/** A running stack. */
export interface Stack {
  readonly environment: StackEnvironment;
  /**
   * The file that holds the environment. It stays when the stack stops, for a bot that is started
   * first; only ports that were set to 0 differ the next time.
   */
  readonly envFile: string;
  /** The addresses of the pages. */
  readonly pages: Pages["urls"];
  /** Rejects when a part has exited unexpectedly and cannot be restarted. Never resolves. */
  readonly failure: Promise<never>;
  /** Stops every part. */
  stop(): Promise<void>;
}

/** Options that are no settings of the developer. */
export interface StackOptions {
  readonly progress?: Progress;
  /** Whether the stack is never started again, so that the stand-in's orders need no file. */
  readonly isTemporary?: boolean;
}

/**
 * Starts the stack that the settings describe. The functions run in this process, so their
 * variables are set in its environment.
 *
 * @throws {TaskError} for everything that the person who starts it can fix.
 */
export async function startStack(
  settings: Settings,
  { progress = () => {}, isTemporary = false }: StackOptions = {},
): Promise<Stack> {
  setEnvironment(settings.functionOptions);
  checkOptions(settings.functionOptions);
  const parts = new AsyncDisposableStack();
  try {
    await makeLocalFolder(settings.localDir);
    const lock = await lockFolder(settings.localDir);
    parts.defer(() => lock.release());
    const secrets = await loadSecrets(settings.localDir);
    // A taken port is reported at once, and not after the database has started.
    const apiPort = claimPort(settings.apiPort, "API_PORT");
    const razorpay = await provideRazorpay(settings, secrets, { apiPort, isTemporary }, parts);
    const backend = {
      SUPABASE_URL: `http://127.0.0.1:${apiPort}`,
      SUPABASE_PUBLISHABLE_KEY: settings.supabase?.publishableKey ?? secrets.publishableKey,
      RAZORPAY_API_URL: razorpay.apiUrl,
    };
    progress("Building the pages");
    const { accountPort, consolePort } = settings;
    const pages = await servePages(backend, { account: accountPort, console: consolePort });
    parts.defer(() => pages.stop());
    const database = await provideDatabase(settings, secrets, parts, progress);
    const environment: StackEnvironment = {
      ...backend,
      SUPABASE_SECRET_KEY: settings.supabase?.secretKey ?? secrets.secretKey,
      DATABASE_URL: database?.url ?? "",
      BOT_SECRET: settings.botSecret ?? secrets.botSecret,
      RAZORPAY_KEY_ID: razorpay.keyId,
      RAZORPAY_KEY_SECRET: razorpay.keySecret,
      RAZORPAY_WEBHOOK_SECRET: settings.razorpayWebhookSecret ?? secrets.razorpayWebhookSecret,
      ERASURE_SECRET: settings.erasureSecret ?? secrets.erasureSecret,
      EVENTS_SECRET: settings.eventsSecret ?? secrets.eventsSecret,
      FRONTEND_URL: settings.functionOptions.FRONTEND_URL ?? pages.urls.account,
      CONSOLE_ORIGIN: settings.functionOptions.CONSOLE_ORIGIN ?? new URL(pages.urls.console).origin,
      ...eventAddresses(settings),
    };
    setEnvironment(
      settings.supabase
        ? functionEnvironment({ ...environment, SUPABASE_URL: settings.supabase.url }, {
          isGiven: true,
        })
        : functionEnvironment(environment, { sessionKeys: sessionKeys(secrets) }),
    );
    setEnvironment(settings.functionOptions);

    progress("Loading the functions");
    const functions = await loadFunctions();
    const dataApi = await provideDataApi(settings, secrets, database);
    parts.defer(() => dataApi.close());
    const gateway = startGateway({ port: apiPort, dataApi, functions });
    parts.defer(() => gateway.stop());
    await lock.note(gateway.url);
    const scheduler = startScheduler(environment, {
      hasEventAddress: Boolean(settings.functionOptions.EVENTS_URL),
    });
    parts.defer(() => scheduler.stop());

    const envFile = join(settings.localDir, "stack.env");
    await Deno.writeTextFile(envFile, formatEnvFile(environment), { mode: PRIVATE_FILE });

    return {
      environment,
      envFile,
      pages: pages.urls,
      failure: database?.failure ?? new Promise(() => {}),
      stop: () => parts.disposeAsync(),
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

/** Sets variables in the environment of this process, where the functions read them. */
export function setEnvironment(variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
}

function eventAddresses({ functionOptions: { EVENTS_URL } }: Settings) {
  return EVENTS_URL === undefined ? {} : { EVENTS_URL };
}

async function provideRazorpay(
  settings: Settings,
  secrets: Secrets,
  { apiPort, isTemporary }: { apiPort: number; isTemporary: boolean },
  parts: AsyncDisposableStack,
): Promise<GivenRazorpay> {
  if (settings.razorpay) return settings.razorpay;
  const key = { keyId: secrets.razorpayKeyId, keySecret: secrets.razorpayKeySecret };
  const standIn = await startRazorpay({
    ...key,
    port: claimPort(settings.razorpayPort, "RAZORPAY_PORT"),
    webhookSecret: settings.razorpayWebhookSecret ?? secrets.razorpayWebhookSecret,
    webhookUrl: `http://127.0.0.1:${apiPort}/functions/v1/razorpay-webhook`,
    ...(isTemporary ? {} : { stateFile: join(settings.localDir, "razorpay.json") }),
  });
  parts.defer(() => standIn.stop());
  return { ...key, apiUrl: standIn.url };
}

/** Returns undefined for a given Supabase project without `DATABASE_URL`: its owner migrates it. */
async function provideDatabase(
  settings: Settings,
  secrets: Secrets,
  parts: AsyncDisposableStack,
  progress: Progress,
): Promise<Database | undefined> {
  if (settings.databaseUrl) return await useDatabase(settings.databaseUrl, progress);
  if (settings.supabase) return undefined;
  const database = await startDatabase(settings, secrets.databasePassword, progress);
  parts.defer(() => database.stop());
  return database;
}

async function provideDataApi(
  settings: Settings,
  secrets: Secrets,
  database: Database | undefined,
): Promise<DataApi> {
  if (settings.supabase) return forwardDataApi(settings.supabase.url);
  if (!database) throw new Error("Without a given Supabase project there is always a database.");
  return await startDataApi({ databaseUrl: database.url, ...secrets });
}
