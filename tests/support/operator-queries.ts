/**
 * What an operator looks up: the SQL functions of the Data API, called with the project's secret key,
 * as an operator's script calls them.
 * @module
 */

import { strictEqual } from "node:assert/strict";
import { z } from "zod";
import { operatorHeaders } from "./calls.ts";

const life = z.object({
  order: z.looseObject({ id: z.uuid(), state: z.string(), amount_paise: z.int() }),
  phone_number: z.string(),
  balance: z.int().nullable(),
  debt_credits: z.int().nullable(),
  payments: z.array(z.looseObject({
    id: z.string(),
    status: z.string(),
    credits_granted: z.int(),
    flag: z.string().nullable(),
    reversals: z.array(z.looseObject({ id: z.string(), credits_taken: z.int() })),
  })),
  transactions: z.array(z.looseObject({ action: z.string(), credits: z.int() })),
  webhook_deliveries: z.array(z.looseObject({ event: z.string(), outcome: z.string().nullable() })),
  operator_actions: z.array(
    z.looseObject({ operator: z.string(), reason: z.string(), outcome: z.string() }),
  ),
});

const attention = z.object({
  kind: z.string(),
  subject: z.string(),
  since: z.iso.datetime({ offset: true }),
  detail: z.string(),
});

/** The Data API of a project. */
type Project = { readonly environment: { readonly SUPABASE_URL: string } };

/** Everything recorded about the orders that `search` identifies. */
export async function findPayments(
  project: Project,
  search: string,
): Promise<z.infer<typeof life>[]> {
  const rows = await callSql(project, "find_payments", { search });
  return z.array(z.object({ life })).parse(rows).map((row) => row.life);
}

/** What needs an operator's attention about these subjects. */
export async function attentionTo(
  project: Project,
  ...subjects: string[]
): Promise<z.infer<typeof attention>[]> {
  const rows = z.array(attention).parse(await callSql(project, "list_attention", {}));
  return rows.filter(({ subject }) => subjects.includes(subject));
}

async function callSql(
  { environment }: Project,
  name: string,
  args: Record<string, unknown>,
): Promise<unknown> {
  const response = await fetch(`${environment.SUPABASE_URL}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: { ...operatorHeaders(), "content-type": "application/json" },
    body: JSON.stringify(args),
  });
  strictEqual(response.status, 200);
  return await response.json();
}
