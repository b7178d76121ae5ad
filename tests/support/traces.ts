/**
 * Looks for traces of a person in a whole database, in every form in which a text can hide.
 * @module
 */

import type postgres from "postgres";

/** Forms of a text that are searched for as they are, and those of which the case does not matter. */
interface Forms {
  readonly exact: readonly string[];
  readonly anyCase: readonly string[];
}

function formsOf(text: string): Forms {
  const bytes = Buffer.from(text);
  const escaped = Array.from(
    text,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  ).join("");
  const percent = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  return {
    anyCase: [
      text,
      JSON.stringify(text).slice(1, -1),
      encodeURIComponent(text),
      escaped,
      percent,
      bytes.toString("hex"),
    ],
    exact: [0, 1, 2].flatMap((offset) => {
      const encoded = base64Within(bytes, offset);
      return [encoded, encoded.replaceAll("+", "-").replaceAll("/", "_")];
    }),
  };
}

/**
 * What the base64 of anything that holds these bytes contains, if they start `offset` bytes after a group
 * of three: without the characters at both ends, which depend on what stands next to them.
 */
function base64Within(bytes: Uint8Array, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
  const start = Math.ceil((offset * 8) / 6);
  const end = Math.floor(((offset + bytes.length) * 8) / 6);
  return encoded.slice(start, end);
}

/** What a phone number is found by: its national part, which every spelling of it contains. */
export function nationalPart(phoneNumber: string): string {
  return phoneNumber.replace(/^\+91/, "");
}

/**
 * Returns the tables that hold any of the texts in any form, sorted by name. Every table of every schema
 * is copied out as text, also those of PostgreSQL's own statistics. Needs a superuser's connection.
 */
export async function tracesOf(sql: postgres.ISql, texts: readonly string[]): Promise<string[]> {
  const forms = texts.map(formsOf);
  const exact = forms.flatMap(({ exact }) => exact);
  const anyCase = forms.flatMap(({ anyCase }) => anyCase).map((form) => form.toLowerCase());
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'm')
      and (n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
        or c.relname = 'pg_statistic')
    order by 1`;
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await sql.unsafe<{ row: string }[]>(`select t::text as row from ${name} t`);
    const holdsOne = rows.some(({ row }) => {
      const lower = row.toLowerCase();
      return exact.some((form) => row.includes(form)) ||
        anyCase.some((form) => lower.includes(form));
    });
    if (holdsOne) found.push(name);
  }
  return found;
}
