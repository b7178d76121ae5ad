/**
 * A real backend for the rehearsed functions: an embedded stack of its own, without any data.
 * @module
 */

import { hmac } from "shared/hmac.ts";
import { postgresHome } from "../postgres/server.ts";
import { connectControl } from "../razorpay/control-client.ts";
import { functionEnvironment } from "../stack/environment.ts";
import { startStack } from "../stack/stack.ts";
import { removeIfPresent } from "../system/files.ts";
import { parseSettings, readSettings } from "../system/settings.ts";
import type { Story } from "./answers.ts";

/** A running backend. Disposing of it stops the stack. */
export interface RehearsalBackend extends AsyncDisposable {
  /** The variables that the platform would set for every function. */
  readonly variables: Readonly<Record<string, string>>;
  /** A customer who has not done anything yet. */
  readonly story: Story;
}

/** Starts a backend with its data in `folder`, on free ports: another stack may be running. */
export async function startRehearsalBackend(folder: string): Promise<RehearsalBackend> {
  await using unfinished = new AsyncDisposableStack();
  // If this process is root, the data may be in another folder.
  unfinished.defer(async () => removeIfPresent(await postgresHome(folder)));
  const { postgresBin = "" } = readSettings();
  const stack = await startStack(parseSettings({
    API_PORT: "0",
    DB_PORT: "0",
    RAZORPAY_PORT: "0",
    ACCOUNT_PORT: "0",
    CONSOLE_PORT: "0",
    LOCAL_DIR: folder,
    POSTGRES_BIN: postgresBin,
  }));
  unfinished.defer(() => stack.stop());

  const razorpay = connectControl(stack.environment.RAZORPAY_API_URL);

  const started = unfinished.move();
  const variables = functionEnvironment(stack.environment);
  return {
    variables,
    story: {
      botSecret: stack.environment.BOT_SECRET,
      page: new URL(variables.FRONTEND_URL ?? "").href,
      secretKey: stack.environment.SUPABASE_SECRET_KEY,
      sign: (body) => hmac(body, stack.environment.RAZORPAY_WEBHOOK_SECRET),
      pay: (orderId) =>
        razorpay.payOrder(orderId, { outcome: "captured", deliver_webhooks: false }),
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
