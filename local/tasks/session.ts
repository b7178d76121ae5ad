/**
 * `deno task session +91...`: prints what a user of the running stack would hold, a session of
 * Supabase Auth and a link from the chat, to try out what a page can read.
 * @module
 */

import { join } from "node:path";
import { parseEnv } from "node:util";
import { loadSecrets } from "../stack/secrets.ts";
import { mintSession } from "../stack/session-token.ts";
import { readIfPresent } from "../system/files.ts";
import { responds } from "../system/ports.ts";
import { readSettings } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";

const SESSION_LIFETIME_SECONDS = 60 * 60;

await runTask(async () => {
  const [phoneNumber] = Deno.args;
  if (phoneNumber === undefined) throw new TaskError("Usage: deno task session +919876543210");
  const { localDir } = readSettings();
  const envFile = await readIfPresent(join(localDir, "stack.env")) ?? "";
  const { SUPABASE_URL = "", BOT_SECRET = "" } = parseEnv(envFile);
  if (!await responds(SUPABASE_URL)) {
    throw new TaskError('No stack is running. Run "deno task start" first.');
  }

  const { sessionKey } = await loadSecrets(localDir);
  const response = await fetch(`${SUPABASE_URL}/functions/v1/bot-link`, {
    method: "POST",
    headers: { "x-bot-secret": BOT_SECRET },
    body: JSON.stringify({ phone_number: phoneNumber }),
  });
  const { message, data } = await response.json();
  if (!response.ok) throw new TaskError(message);

  const session = await mintSession({
    key: sessionKey,
    phoneNumber,
    issuer: `${SUPABASE_URL}/auth/v1`,
    expiresAt: new Date(Date.now() + SESSION_LIFETIME_SECONDS * 1000),
  });
  console.log(`A session, valid for an hour:

  curl -H "authorization: Bearer ${session}" \\
    "${SUPABASE_URL}/functions/v1/users/${phoneNumber}"

A link, valid until ${data.expires_at}:

  ${data.url}

  curl -H "x-access-token: ${data.token}" \\
    "${SUPABASE_URL}/functions/v1/users/${phoneNumber}"
`);
});
