/**
 * The API requests that arrived, so that tests can see what was asked, and how often.
 * @module
 */

/** One request, as it arrived, and what became of it. */
export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  /** The part after `?`, empty if there is none. */
  readonly query: string;
  /** The body's text. */
  readonly body: string;
  /** The names of the headers in lower case. Their values stay out, as they hold credentials. */
  readonly headers: string[];
  /** The answer's status, or null if there was none (yet). */
  status: number | null;
  /** The fault that it met. */
  readonly fault: string | null;
}

const MAX_REQUESTS = 10_000;

/** The latest requests, oldest first. */
export class RequestLog {
  #requests: LoggedRequest[] = [];

  add(request: LoggedRequest): void {
    this.#requests.push(request);
    if (this.#requests.length > MAX_REQUESTS) this.#requests.shift();
  }

  /** The requests with this method and path, or all. */
  list({ method, path }: { method?: string; path?: string }): LoggedRequest[] {
    return this.#requests.filter((request) =>
      (method === undefined || request.method === method) &&
      (path === undefined || request.path === path)
    );
  }

  clear(): void {
    this.#requests = [];
  }
}
