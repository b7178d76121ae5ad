/**
 * examples/bot.ts, played against a backend.
 * @module
 */

import { deepStrictEqual, match, rejects, strictEqual } from "node:assert/strict";
import { newUser } from "../support/accounts.ts";
import { startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { lossyProxy } from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
const proxy = lossyProxy(backend.environment.SUPABASE_URL);
Deno.test.afterAll(async () => {
  await proxy.stop();
  await backend.stop();
});

/** The example reads its address once, when it is loaded. */
const { onImageRequest } = await withEnvironment(
  { SUPABASE_URL: proxy.url },
  () => import("../../examples/bot.ts"),
);

/** What the bot said, and how often it made an image. */
interface Chat {
  readonly replies: { text: string; image: string | undefined }[];
  images: number;
}

async function ask(from: string, id: string, chat: Chat = { replies: [], images: 0 }) {
  await onImageRequest<string>({ from, id }, {
    makeImage: () => Promise.resolve(`image ${++chat.images}`),
    reply: (text, image) => Promise.resolve(void chat.replies.push({ text, image })),
  });
  return chat;
}

async function balanceOf(phone: string): Promise<unknown> {
  return dataOf(await call("GET", `bot-credits/${phone}`)).remaining_credits;
}

Deno.test("three images are made and charged, and for the fourth a package is offered", async () => {
  const phone = newPhoneNumber();
  for (const left of ["2 credits", "1 credit", "no credits"]) {
    const { replies } = await ask(phone, `message ${left}`);
    deepStrictEqual(replies, [
      { text: `Image generated successfully. You have ${left} remaining.`, image: "image 1" },
    ]);
  }
  const { replies: [offer], images } = await ask(phone, "message 4");
  strictEqual(images, 0);
  match(
    offer?.text ?? "",
    /^You have no credits left\. .*\n20 credits for 99 rupees: http:\/\/127\.0\.0\.1:\d+\/rzp\/\w+$/,
  );
});

Deno.test("a message that took the last credit gets its image when it is delivered again", async () => {
  const phone = newPhoneNumber();
  for (const id of ["1", "2", "3"]) await ask(phone, id);
  const { replies, images } = await ask(phone, "3");
  strictEqual(images, 1);
  strictEqual(replies[0]?.text, "Image generated successfully. You have no credits remaining.");
  strictEqual(await balanceOf(phone), 0);
});

Deno.test("a bot that dies between the charge and the reply makes the last image after all", async () => {
  const phone = newPhoneNumber();
  for (const id of ["1", "2"]) await ask(phone, id);
  const dies = onImageRequest({ from: phone, id: "3" }, {
    makeImage: () => Promise.resolve("an image"),
    reply: () => Promise.reject(new Error("the bot is gone")),
  });
  await rejects(dies, /the bot is gone/);
  strictEqual(await balanceOf(phone), 0);

  const { replies } = await ask(phone, "3");
  deepStrictEqual(replies, [
    { text: "Image generated successfully. You have no credits remaining.", image: "image 1" },
  ]);
  strictEqual(await balanceOf(phone), 0);
});

Deno.test("a message that is delivered twice at once for the last credit is charged once, and offered nothing", async () => {
  const phone = newPhoneNumber();
  for (const id of ["1", "2"]) await ask(phone, id);
  const chats = await Promise.all([ask(phone, "3"), ask(phone, "3"), ask(phone, "3")]);
  for (const { replies } of chats) {
    deepStrictEqual(replies, [
      { text: "Image generated successfully. You have no credits remaining.", image: "image 1" },
    ]);
  }
  strictEqual(await balanceOf(phone), 0);
});

Deno.test("of two messages at once for one credit, one gets an image and the other an offer", async () => {
  const phone = newPhoneNumber();
  await ask(phone, "1");
  await ask(phone, "2");
  const chats = await Promise.all([ask(phone, "3"), ask(phone, "4")]);
  const texts = chats.map(({ replies: [reply] }) => reply?.text.slice(0, 10)).sort();
  deepStrictEqual(texts, ["Image gene", "You have n"]);
  strictEqual(await balanceOf(phone), 0);
});

Deno.test("an image that cannot be made costs nothing", async () => {
  const phone = newPhoneNumber();
  const request = onImageRequest({ from: phone, id: "1" }, {
    makeImage: () => Promise.reject(new Error("no image")),
    reply: () => Promise.reject(new Error("nothing to say")),
  });
  await rejects(request, /no image/);
  strictEqual(await balanceOf(phone), 3);
});

Deno.test("an account that is frozen gets a reply and no image, but for a message that was charged before", async () => {
  const phone = newPhoneNumber();
  const before = await ask(phone, "1");
  const userId = await newUser(phone);
  await backend.sql`select public.freeze_user(${userId}, 'Asha', 'A test', ${userId})`;

  const { replies, images } = await ask(phone, "2");
  strictEqual(images, 0);
  deepStrictEqual(replies, [
    { text: "Your account is paused. Please write to our support.", image: undefined },
  ]);
  deepStrictEqual(await ask(phone, "1"), before);
  strictEqual(await balanceOf(phone), 2);
});

Deno.test("an account that is frozen while its image is made gets the reply, too", async () => {
  const phone = newPhoneNumber();
  const userId = await newUser(phone);
  const replies: string[] = [];
  await onImageRequest({ from: phone, id: "1" }, {
    async makeImage() {
      await backend.sql`select public.freeze_user(${userId}, 'Asha', 'A test', ${userId})`;
      return "an image";
    },
    reply: (text, image) => Promise.resolve(void replies.push(`${text} ${image}`)),
  });
  deepStrictEqual(replies, ["Your account is paused. Please write to our support. undefined"]);
  strictEqual(await balanceOf(phone), 3);
});

Deno.test("a deduction whose answer gets lost is sent again and charged once", async () => {
  const phone = newPhoneNumber();
  proxy.loseAnswer = 2;
  const { replies } = await ask(phone, "1");
  strictEqual(replies[0]?.text, "Image generated successfully. You have 2 credits remaining.");
  strictEqual(proxy.paths.slice(-2).join(" "), "/functions/v1/bot-deduct /functions/v1/bot-deduct");
  strictEqual(await balanceOf(phone), 2);
});

Deno.test("a refusal is not repeated", async () => {
  const before = proxy.paths.length;
  await rejects(ask("nobody", "1"), /400 .*INVALID_REQUEST/);
  strictEqual(proxy.paths.length, before + 1);
});

Deno.test.each([
  { SUPABASE_URL: undefined },
  { SUPABASE_URL: "127.0.0.1:54321" },
  { SUPABASE_URL: "localhost:54321" },
  { BOT_SECRET: undefined },
  { BOT_SECRET: "too short" },
  { BOT_SECRET: `${"a".repeat(40)}\n` },
])("a bot that is set up wrongly says so and does not start", async (variables) => {
  const [name = ""] = Object.keys(variables);
  // Another query makes it another module, which is loaded again.
  const module = `../../examples/bot.ts?${crypto.randomUUID()}`;
  await withEnvironment(variables, async () => {
    await rejects(import(module), new RegExp(`${name} is not (set|valid)`));
  });
});
