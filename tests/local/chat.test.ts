/**
 * `deno task chat`, as a person plays it: with lines on its input, and a browser for the payment link.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { REPOSITORY } from "../../local/system/settings.ts";
import { sendSignal } from "../../local/system/processes.ts";
import { claimPort } from "../../local/system/ports.ts";
import {
  end,
  newStackFolder,
  ready,
  runLocal,
  type StackFolder,
} from "../../local/stack/stack-process.ts";
import { until } from "../../local/system/until.ts";

/** A chat in a process of its own, which is killed if a test fails. */
class Chat implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #output = "";
  #errors = Promise.resolve("");

  constructor({ path }: StackFolder) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "local/tasks/chat.ts"],
      cwd: REPOSITORY,
      env: { LOCAL_DIR: path, NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#errors = new Response(this.#process.stderr).text();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      this.#output += text;
    }
  }

  /** Types a line. */
  async type(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Waits until something has been printed, and returns it. */
  async shows(pattern: RegExp): Promise<string> {
    let shown: string | undefined;
    let hasEnded = false;
    this.#process.status.then(() => hasEnded = true);
    await until(`the chat shows ${pattern}`, () => {
      shown = pattern.exec(this.#output)?.[0];
      ok(shown !== undefined || !hasEnded, this.#output);
      return Promise.resolve(shown !== undefined);
    });
    return shown ?? "";
  }

  /** Ends the lines, as Ctrl-D does, or sends a signal, as Ctrl-C does; nothing must have failed. */
  async end(how: "Ctrl-D" | "Ctrl-C"): Promise<void> {
    if (how === "Ctrl-D") await this.#input.close();
    else this.#process.kill("SIGINT");
    const { code } = await this.#process.status;
    await this.#reading;
    deepStrictEqual({ code, errors: await this.#errors }, { code: 0, errors: "" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    sendSignal(this.#process.pid, "SIGKILL");
    await this.#process.status;
  }
}

function press(link: string, outcome: string): Promise<Response> {
  return fetch(link, { method: "POST", body: new URLSearchParams({ outcome }) });
}

Deno.test("a person talks to the bot, pays the link in a browser, and is thanked", async () => {
  await using folder = await newStackFolder();
  await using chat = new Chat(folder);
  await chat.type("balance");
  await chat.shows(/bot {2}You have 3 credits remaining\.\n/);
  await chat.type("image a cat");
  await chat.shows(/picture: a cat\]\n[\s\S]*bot {2}Image generated .* 2 credits remaining\.\n/);
  await chat.type("buy");
  const link = (await chat.shows(/20 credits for 99 rupees: \S+\n/)).split(" ").at(-1) ?? "";
  match(await (await fetch(link)).text(), /stand-in for Razorpay/);
  strictEqual((await press(link, "captured")).status, 200);
  await chat.shows(/bot {2}Thank you! 20 credits have arrived\. You have 22 credits remaining\.\n/);
  await chat.end("Ctrl-D");
});

Deno.test("with the stack that is running, a payment fails, is tried again, and is thanked for", async () => {
  const EVENTS_URL = `http://127.0.0.1:${claimPort(0, "EVENTS_URL")}/events`;
  await using folder = await newStackFolder();
  const stack = runLocal("start", folder, { EVENTS_URL });
  const environment = await ready(stack, folder);
  strictEqual(environment.EVENTS_URL, EVENTS_URL);
  await using chat = new Chat(folder);
  // Without a browser.
  for (const line of ["/pay", "buy popular", "/fail", "/pay"]) await chat.type(line);
  await chat.shows(/There is no link yet/);
  await chat.shows(/bot {2}The payment failed\. Would you like to try again\?\n/);
  await chat.shows(/bot {2}Thank you! 75 credits have arrived\. You have 78 credits remaining\.\n/);
  await chat.end("Ctrl-C");
  strictEqual((await stack.output()).includes("tells no bot"), false);
  await end(stack, "SIGTERM", folder);
});
