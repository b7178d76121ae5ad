/**
 * The JSON examples of docs/api.md, compared with the contract.
 * @module
 */

import { z } from "zod";
import { OPERATIONS } from "shared/contract/operations.ts";

const SECTION = /^### (\S+)\n([\s\S]*?)(?=^##)/gm;
const JSON_BLOCK = /^```json\n([\s\S]*?)^```/gm;

const response = z.strictObject({
  status: z.string(),
  message: z.string(),
  data: z.record(z.string(), z.unknown()).optional(),
});

/** Returns a sentence for each example that the contract would neither accept nor return. */
export function wrongExamples(markdown: string): string[] {
  return [...`${markdown}\n##`.matchAll(SECTION)].flatMap(([, name, section = ""]) => {
    const operation = OPERATIONS.find((candidate) => candidate.name === name);
    if (operation === undefined) return [];
    return [...section.matchAll(JSON_BLOCK)].flatMap(([, text = ""]) => {
      const { error } = schemaOf(operation, JSON.parse(text));
      return error ? [`${name}: ${z.prettifyError(error)} in ${text}`] : [];
    });
  });
}

/** An object with a status is a response; any other is a request. */
function schemaOf(operation: (typeof OPERATIONS)[number], example: unknown) {
  const read = response.safeParse(example);
  if (!read.success) return operation.input.strict().safeParse(example);
  const { status, data } = read.data;
  const schema = status === "SUCCESS"
    ? operation.data
    : operation.otherResponses?.find((other) => other.status === status)?.data;
  return (schema ?? z.undefined()).safeParse(data);
}
