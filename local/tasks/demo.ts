/**
 * `deno task demo`: plays the tutorial, docs/tutorial.md, command by command.
 *
 * It uses the stack that is running, or starts one of its own. With `--write`, the answers
 * are written into the tutorial, and with `--check` compared with it; both use a stack of their own.
 * @module
 */

import { join } from "node:path";
import { parseEnv } from "node:util";
import { play, stepsOf, withAnswers } from "../docs/story.ts";
import { stabilizer } from "../docs/stable-text.ts";
import { withTemporaryStack } from "../stack/temporary.ts";
import { readIfPresent } from "../system/files.ts";
import { writeGenerated } from "../system/generated-file.ts";
import { randomPhoneNumber } from "../system/phone-number.ts";
import { responds } from "../system/ports.ts";
import { parseSettings, readSettings, REPOSITORY, type Settings } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";

const TUTORIAL = "docs/tutorial.md";
const TO_FILE = Deno.args.some((argument) => argument === "--write" || argument === "--check");

/** Plays every step on the stack of an env file and returns the answers. */
async function playTutorial(
  tutorial: string,
  envFile: string,
  options: { phone?: string; show: (text: string) => void },
): Promise<string[]> {
  const steps = stepsOf(tutorial).map(({ prose, command }) => ({
    prose,
    command: options.phone ? command.replace(/^PHONE=.*$/m, `PHONE=${options.phone}`) : command,
  }));
  const commands = steps.map(({ command }) => command.replace(".local/stack.env", `'${envFile}'`));
  const answers: string[] = [];
  const tell = () => {
    const step = steps[answers.length];
    if (step) options.show(`\n${step.prose}\n\n${step.command.replaceAll(/^(?=.)/gm, "    ")}`);
  };
  tell();
  for await (const answer of play(commands)) {
    options.show(answer);
    answers.push(answer);
    tell();
  }
  return answers;
}

/** Returns the env file of the stack that runs in a folder. The file is there without one too. */
async function runningStack({ localDir }: Settings): Promise<string | undefined> {
  const path = join(localDir, "stack.env");
  const { SUPABASE_URL = "", RAZORPAY_API_URL = "" } = parseEnv(await readIfPresent(path) ?? "");
  if (!await responds(SUPABASE_URL)) return undefined;
  if (new URL(RAZORPAY_API_URL).hostname !== "127.0.0.1") {
    throw new TaskError(
      "The running stack uses Razorpay itself, where only a person can pay. Unset RAZORPAY_KEY_ID " +
        "and start it again to play the tutorial.",
    );
  }
  return path;
}

/** The settings of a stack that is as on a fresh clone, whatever is set here. */
function plainSettings({ localDir, postgresBin = "" }: Settings): Settings {
  return parseSettings({ LOCAL_DIR: localDir, POSTGRES_BIN: postgresBin });
}

await runTask(async () => {
  const tutorial = await Deno.readTextFile(join(REPOSITORY, TUTORIAL));
  const settings = readSettings();
  const running = TO_FILE ? undefined : await runningStack(settings);
  if (running) {
    const phone = randomPhoneNumber();
    await playTutorial(tutorial, running, { phone, show: console.log });
    console.log(
      "\nThe customer has been erased, so the link above opens nothing any more. For one that does: " +
        "deno task session +919876543210",
    );
    Deno.exit(0);
  }
  console.log("Starting a stack for the tutorial ...");
  let written = tutorial;
  await withTemporaryStack(plainSettings(settings), async ({ environment, envFile }) => {
    // The functions run in this process here, and would log between the lines of the story.
    console.info = () => {};
    const show = TO_FILE ? () => {} : console.log;
    const stable = stabilizer(environment);
    const answers = await playTutorial(tutorial, envFile, { show });
    written = withAnswers(tutorial, answers.map(stable));
  });
  if (TO_FILE) await writeGenerated(TUTORIAL, written);
  Deno.exit(0);
});
