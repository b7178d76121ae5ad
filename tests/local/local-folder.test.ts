/**
 * The folder of a stack: kept out of git and of the checks wherever it is, or refused with a reason that
 * is true.
 * @module
 */
import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { lockFolder } from "../../local/system/folder-lock.ts";
import { makeLocalFolder } from "../../local/system/local-folder.ts";
import { TaskError } from "../../local/system/task.ts";

interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd }).output();
  const text = new TextDecoder().decode(stdout);
  strictEqual(success, true, `${command}: ${text}${new TextDecoder().decode(stderr)}`);
  return text;
}

Deno.test("neither git nor Deno's formatter and linter see what is in it", async () => {
  await using repository = await temporaryFolder();
  await run("git", ["init", "--quiet"], repository.path);
  await Deno.writeTextFile(join(repository.path, "deno.json"), "{}\n");
  await Deno.writeTextFile(join(repository.path, "good.ts"), "export {};\n");
  const folder = join(repository.path, "another", "place");
  await makeLocalFolder(folder);
  await Deno.writeTextFile(join(folder, "razorpay.json"), '{"a":1,\n"b":2}');
  await Deno.writeTextFile(join(folder, "bad.ts"), "const a: string = 1\nvar   b");

  const status = await run("git", ["status", "--porcelain"], repository.path);
  deepStrictEqual(status, "?? deno.json\n?? good.ts\n");
  for (const check of [["fmt", "--check"], ["lint"]]) {
    await run(Deno.execPath(), check, repository.path);
  }
});

Deno.test("an ignore file that is already there is kept", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(join(folder.path, ".gitignore"), "mine\n");
  await makeLocalFolder(folder.path);
  strictEqual(await Deno.readTextFile(join(folder.path, ".gitignore")), "mine\n");
});

Deno.test("a path through a file is refused", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "file");
  await Deno.writeTextFile(file, "");
  for (const path of [file, join(file, "below")]) {
    await rejects(makeLocalFolder(path), (error: unknown) => {
      return error instanceof TaskError && error.message.includes(`${file} is a file`);
    });
  }
});

/** Root may write everywhere. */
const ignore = Deno.uid() === 0;

Deno.test("a folder that cannot be created is refused with the folder that is not writable", {
  ignore,
}, async () => {
  await using folder = await temporaryFolder();
  await Deno.chmod(folder.path, 0o555);
  const path = join(folder.path, "a", "b");
  await rejects(lockFolder(path), (error: unknown) => {
    return error instanceof TaskError && error.message.startsWith(
      `${path} cannot be created: no permission to write in ${folder.path}.`,
    );
  });
});

Deno.test("a folder of one's own that is not writable is not said to be another's", {
  ignore,
}, async () => {
  await using folder = await temporaryFolder();
  await Deno.chmod(folder.path, 0o555);
  await rejects(lockFolder(folder.path), (error: unknown) => {
    return error instanceof TaskError && error.message.includes("no permission to write in it");
  });
});
