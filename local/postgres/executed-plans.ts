/**
 * The plans of the statements inside SQL functions, as PostgreSQL reports them while it executes them
 * (auto_explain).
 * @module
 */

import postgres from "postgres";
import { z } from "zod";

/** A node of a plan that was executed. */
export interface PlanNode {
  readonly "Node Type": string;
  readonly "Operation"?: string | undefined;
  readonly "Relation Name"?: string | undefined;
  readonly "Index Name"?: string | undefined;
  readonly "Conflict Arbiter Indexes"?: string[] | undefined;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number | undefined;
  readonly "Rows Removed by Join Filter"?: number | undefined;
  readonly "Rows Removed by Index Recheck"?: number | undefined;
  readonly Plans?: PlanNode[] | undefined;
}

const node: z.ZodType<PlanNode> = z.object({
  "Node Type": z.string(),
  "Operation": z.string().optional(),
  "Relation Name": z.string().optional(),
  "Index Name": z.string().optional(),
  "Conflict Arbiter Indexes": z.array(z.string()).optional(),
  "Actual Rows": z.number(),
  "Actual Loops": z.number(),
  "Rows Removed by Filter": z.number().optional(),
  "Rows Removed by Join Filter": z.number().optional(),
  "Rows Removed by Index Recheck": z.number().optional(),
  get Plans() {
    return z.array(node).optional();
  },
});

/** A session that sees plans. */
export interface PlanReader {
  readonly sql: postgres.Sql;
  /**
   * Executes a statement, takes back what it did, and returns every node of every plan in it. Repeated, it
   * shows the last plans, which PostgreSQL may have made for all values alike.
   */
  execute(statement: string, times?: number): Promise<{ nodes: PlanNode[]; count: number }>;
  end(): Promise<void>;
}

/** Opens a superuser's session that sees plans, because only a superuser may load auto_explain. */
export async function openPlanReader(superuserUrl: string): Promise<PlanReader> {
  const reported: string[] = [];
  const sql = postgres(superuserUrl, {
    max: 1,
    onnotice: ({ message }) => {
      const [, plan] = /^duration: .* plan:\n([^]*)$/.exec(message ?? "") ?? [];
      if (plan) reported.push(plan);
    },
  });
  await sql`load 'auto_explain'`;
  await sql.unsafe(`
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_analyze = on;
    set auto_explain.log_timing = off;
    set auto_explain.log_format = json;
    set auto_explain.log_level = notice`);
  return {
    sql,
    async execute(statement, times = 1) {
      const rollback = new Error("Taken back");
      let count = 0;
      await sql.begin(async (transaction) => {
        for (let time = 0; time < times; time++) {
          reported.length = 0;
          count = (await transaction.unsafe(statement)).count;
        }
        throw rollback;
      }).catch((error) => {
        if (error !== rollback) throw error;
      });
      const plans = reported.map((text) => z.object({ Plan: node }).parse(JSON.parse(text)).Plan);
      return { nodes: plans.flatMap(nodesOf), count };
    },
    end: () => sql.end(),
  };
}

function nodesOf(plan: PlanNode): PlanNode[] {
  return [plan, ...plan.Plans?.flatMap(nodesOf) ?? []];
}
