/**
 * The API requests that arrived, so that tests can check what was requested, and how often.
 * @module
 */

/** A request, and what became of it. */
export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  /** The part after `?`; empty if there is none. */
  readonly query: string;
  /** The body as text. */
  readonly body: string;
  /** The names of the headers in lower case, without the values, which hold credentials. */
  readonly headers: readonly string[];
  /** The status of the response, or null if there was none (yet). */
  status: number | null;
  /** The kind of fault that it met, or null. */
  readonly fault: string | null;
}

const MAX_REQUESTS = 10_000;

/** Keeps the latest requests, oldest first. */
export class RequestLog {
  #requests: LoggedRequest[] = [];

  add(request: LoggedRequest): void {
    this.#requests.push(request);
    if (this.#requests.length > MAX_REQUESTS) this.#requests.shift();
  }

  /** Returns the requests with this method and path. Null stands for any. */
  list(
    { method, path }: { readonly method: string | null; readonly path: string | null },
  ): LoggedRequest[] {
    return this.#requests.filter((request) =>
      (method === null || request.method === method) &&
      (path === null || request.path === path)
    );
  }

  clear(): void {
    this.#requests = [];
  }
}
