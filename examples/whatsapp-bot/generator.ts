/**
 * A stand-in for what your bot makes. Put your own generator here.
 * @module
 */

/** Makes a picture. This one only says what it would show. */
export function makeImage(prompt: string): Promise<string> {
  return Promise.resolve(`[A stand-in for a picture: ${prompt.slice(0, 200)}]`);
}
