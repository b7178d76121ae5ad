/**
 * `deno task chat [+91...]`: plays WhatsApp in the terminal. What you type is a customer's message to the
 * bot of examples/whatsapp-bot, which answers with the embedded stack behind it.
 *
 * It uses the stack that is running if that tells an address of this machine of events, and otherwise
 * starts one of its own, which leaves nothing behind. It also reads lines from a pipe.
 * @module
 */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { setEnvironment } from "../stack/stack.ts";
import { withTemporaryStack } from "../stack/temporary.ts";
import { readIfPresent } from "../system/files.ts";
import { isLoopbackUrl } from "../system/loopback.ts";
import { randomPhoneNumber } from "../system/phone-number.ts";
import { claimPort, responds } from "../system/ports.ts";
import { parseSettings, readSettings, type Settings } from "../system/settings.ts";
import { interrupted, runTask, TaskError } from "../system/task.ts";
import { startWhatsApp } from "../whatsapp/server.ts";
import { converse, Transcript } from "../whatsapp/terminal.ts";

/** What the bot needs of a stack. */
interface Backend {
  readonly SUPABASE_URL: string;
  readonly BOT_SECRET: string;
  readonly EVENTS_SECRET: string;
  /** Where the stack tells of events, which is where the bot has to listen. */
  readonly eventsUrl: URL;
}

await runTask(async () => {
  const phone = customerNumber(Deno.args);
  const settings = readSettings();
  const interruption = interrupted();
  const running = await runningStack(settings);
  if (running) {
    await chat(running, phone, interruption);
    Deno.exit(0);
  }
  console.log("Starting a stack for the chat ...");
  const eventsUrl = new URL(`http://127.0.0.1:${claimPort(0, "EVENTS_URL")}/events`);
  await withTemporaryStack(
    plainSettings(settings, eventsUrl),
    async ({ environment }) => {
      // The functions run in this process here, and would log between the lines of the chat.
      console.info = () => {};
      await chat({ ...environment, eventsUrl }, phone, interruption);
      // Nor what the end of the stack cuts off.
      console.error = () => {};
    },
    interruption,
  );
  // A timer or connection that a library still holds must not keep the process alive.
  Deno.exit(0);
});

/** The customer's number without a plus, as WhatsApp has it. */
function customerNumber(
  [given = randomPhoneNumber(), ...others]: readonly string[],
): string {
  if (others.length > 0 || !/^\+?[1-9][0-9]{6,14}$/.test(given)) {
    throw new TaskError("Usage: deno task chat [+919876543210]");
  }
  return given.replace("+", "");
}

/** Returns the stack that runs in a folder, if its events can reach a bot that is started here. */
async function runningStack({ localDir }: Settings): Promise<Backend | undefined> {
  const { SUPABASE_URL = "", BOT_SECRET = "", EVENTS_SECRET = "", EVENTS_URL = "" } = parseEnv(
    await readIfPresent(join(localDir, "stack.env")) ?? "",
  );
  if (!await responds(SUPABASE_URL)) return undefined;
  const address = EVENTS_URL.split(/[\s,]+/).find((url) =>
    isLoopbackUrl(url) && new URL(url).pathname === "/events"
  );
  if (address === undefined) {
    console.log(
      "The running stack tells no bot on this machine of events, so the chat gets one of its own. To use " +
        "the running one, start it with EVENTS_URL=http://127.0.0.1:8080/events.",
    );
    return undefined;
  }
  return { SUPABASE_URL, BOT_SECRET, EVENTS_SECRET, eventsUrl: new URL(address) };
}

/** The settings of a stack that is as on a fresh clone, whatever is set here, and tells the bot. */
function plainSettings({ localDir, postgresBin = "" }: Settings, { href }: URL): Settings {
  return parseSettings({ LOCAL_DIR: localDir, POSTGRES_BIN: postgresBin, EVENTS_URL: href });
}

/** Plays the chat until its lines end, or it is interrupted. */
async function chat(
  { eventsUrl, ...backend }: Backend,
  customer: string,
  interruption: Promise<void>,
): Promise<void> {
  await using parts = new AsyncDisposableStack();
  const transcript = new Transcript(customer);
  const secret = () => randomBytes(16).toString("hex");
  const app = {
    accessToken: secret(),
    appSecret: secret(),
    verifyToken: secret(),
    phoneNumberId: "100000000000000",
  };
  const whatsapp = startWhatsApp({ ...app, onSent: (message) => transcript.botSays(message) });
  parts.defer(() => whatsapp.stop());

  // The example reads the backend's address from its environment, once, when it is loaded.
  setEnvironment({ SUPABASE_URL: backend.SUPABASE_URL, BOT_SECRET: backend.BOT_SECRET });
  const { startBot } = await import("../../examples/whatsapp-bot/server.ts");
  const folder = await Deno.makeTempDir({ prefix: "whatsapp-bot-" });
  parts.defer(() => Deno.remove(folder, { recursive: true }));
  const bot = await startBot({
    ...app,
    port: claimPort(Number(eventsUrl.port), "EVENTS_URL"),
    stateFile: join(folder, "state.sqlite"),
    graphUrl: whatsapp.graphUrl,
    eventsSecret: backend.EVENTS_SECRET,
  });
  parts.defer(() => bot.stop());
  await whatsapp.subscribe(`${bot.url}/webhook`);

  await Promise.race([converse(whatsapp, transcript), interruption]);
  transcript.end();
}
