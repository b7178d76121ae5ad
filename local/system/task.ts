/**
 * The error for everything that the person who runs a task can put right.
 * @module
 */

/** Its message says what is wrong and what to do, so it is printed alone, without a stack trace. */
export class TaskError extends Error {
  override name = "TaskError";
}

/**
 * Runs a task's main function. Prints an {@linkcode TaskError} as one plain sentence and anything else
 * with its stack trace, as that is a fault of this project; either ends the process with code 1.
 */
export async function runTask(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof TaskError ? `error: ${error.message}` : error);
    Deno.exit(1);
  }
}
