/**
 * The JSON examples of docs/api.md, held against the contract.
 * @module
 */
import { z } from "zod";
import { OPERATIONS } from "shared/contract/operations.ts";

const SECTION = /^### (\S+)\n([\s\S]*?)(?=^##)/gm;
const JSON_BLOCK = /^```json\n([\s\S]*?)^```/gm;

const Answer = z.strictObject({
  status: z.string(),
  message: z.string(),
  data: z.record(z.string(), z.unknown()).optional(),
});

/** Returns a sentence for each example that the contract would not accept or not answer. */
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

/** An object with a status is an answer; any other is a request. */
function schemaOf(operation: (typeof OPERATIONS)[number], example: unknown) {
  const answer = Answer.safeParse(example);
  if (!answer.success) return operation.input.strict().safeParse(example);
  const { status, data } = answer.data;
  const schema = status === "SUCCESS"
    ? operation.data
    : operation.otherAnswers?.find((other) => other.status === status)?.data;
  return (schema ?? z.undefined()).safeParse(data);
}
