/**
 * What a screenshot is taken of: a page in a browser, on a running stack, and what brings about its
 * states.
 * @module
 */

import type { Page } from "playwright-core";
import type postgres from "postgres";
import { z } from "zod";
import type { RazorpayControl } from "../razorpay/control-client.ts";
import type { Stack } from "../stack/stack.ts";

/** A page and what stands behind it. */
export interface Stage {
  readonly page: Page;
  readonly stack: Pick<Stack, "environment" | "pages">;
  readonly razorpay: RazorpayControl;
  /** Queries as the owner of the tables. */
  readonly sql: postgres.Sql;
}

/** A state of a page. */
export interface Shot {
  /** The file's name, without its ending. */
  readonly name: string;
  /** Brings the page into the state. */
  readonly prepare: (stage: Stage) => Promise<void>;
  /** What the visitor's browser asks for; `en-IN` if left out. */
  readonly locale?: string;
  /** In CSS pixels; those of a phone if left out. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Whether it is a picture of the docs: only what the window shows, sharp on any screen. */
  readonly isForDocs?: boolean;
}

const answer = z.object({ message: z.string(), data: z.record(z.string(), z.unknown()) });

/** Calls a function as the bot or the operator, and returns its data. */
export async function callFunction(
  { stack: { environment } }: Stage,
  name: string,
  body: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${environment.SUPABASE_URL}/functions/v1/${name}`, {
    method: "POST",
    headers: {
      apikey: environment.SUPABASE_SECRET_KEY,
      "x-bot-secret": environment.BOT_SECRET,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${name}: ${response.status} ${text}`);
  return answer.parse(JSON.parse(text)).data;
}
