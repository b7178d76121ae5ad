/**
 * A stand-in for Razorpay's API, for development and tests.
 *
 * It implements the API that the official `razorpay` package calls, sends signed webhooks, and has
 * control routes under `/_control/` that play the customer, the bank and the dashboard, and order
 * faults. README.md in this folder lists them.
 * @module
 */

import { createServer } from "node:http";
import { Account } from "./account.ts";
import { Api } from "./api.ts";
import { connectControl, type RazorpayControl } from "./control-client.ts";
import { DEFAULT_SETTINGS, settingsSchema, type StandInSettings } from "./settings.ts";

/** How to start the stand-in. */
export interface RazorpayOptions {
  /** The TCP port on 127.0.0.1; 0 takes any free one. */
  readonly port: number;
  readonly keyId: string;
  readonly keySecret: string;
  readonly webhookSecret: string;
  /** Where events are delivered. Without a URL they are kept until one is set. */
  readonly webhookUrl?: string;
  /** A JSON file that keeps the account's state between runs. */
  readonly stateFile?: string;
  /** Behavior that differs from Razorpay's default. */
  readonly settings?: Partial<Omit<StandInSettings, "webhook_url" | "webhook_secret">>;
}

/** A running stand-in. */
export interface RazorpayStandIn {
  /** The API's base URL, without `/v1`. */
  readonly url: string;
  readonly port: number;
  /** The `account_id` of its webhook events. */
  readonly accountId: string;
  readonly control: RazorpayControl;
  /** Closes every connection, even one that hangs, and every timer. */
  stop(): Promise<void>;
}

/**
 * Starts the stand-in.
 *
 * @throws {Deno.errors.AddrInUse} if the port is taken.
 */
export async function startRazorpay(options: RazorpayOptions): Promise<RazorpayStandIn> {
  const account = await Account.open({
    keyId: options.keyId,
    keySecret: options.keySecret,
    settings: settingsSchema.parse({
      ...DEFAULT_SETTINGS,
      ...options.settings,
      webhook_url: options.webhookUrl ?? null,
      webhook_secret: options.webhookSecret,
    }),
    ...(options.stateFile !== undefined && { stateFile: options.stateFile }),
  });
  const api = new Api(account);
  const server = createServer((request, response) => {
    api.respond(request, response).catch((error) => {
      console.error("The Razorpay stand-in failed:", error);
      request.socket.destroy();
    });
  });
  let port: number;
  try {
    port = await listen(server, options.port);
  } catch (error) {
    await account.close();
    throw error;
  }
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    accountId: account.state.accountId,
    control: connectControl(url),
    async stop() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await account.close();
    },
  };
}

function listen(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: Error & { code?: string }) => {
      reject(
        error.code === "EADDRINUSE"
          ? new Deno.errors.AddrInUse(`Port ${port} on 127.0.0.1 is taken`)
          : error,
      );
    });
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") {
        reject(new TypeError("The server has no port"));
      } else {
        resolve(address.port);
      }
    });
  });
}
