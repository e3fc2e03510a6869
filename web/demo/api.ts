import { ProblemError, problemFrom } from "../client/problem.js";
import { csrf, loginOf } from "./session.js";

/** A request and its response. */
export interface Exchange<Data> {
  method: string;
  path: string;
  status: number;
  /** Until the whole response was read, as measured by the page. */
  milliseconds: number;
  headers: Headers;
  /** The body of the response. */
  text: string;
  /** Undefined if it is an error. */
  data?: Data;
  problem?: ProblemError;
}

/** Calls the API with the session of the browser, whose cookie no script sees. */
export class Api {
  /** Calls loggedOut for every response that says that one has to log in. */
  constructor(readonly loggedOut: () => void) {}

  /** Sends a request. The result of an error response has a problem; only a request without a response throws. */
  async send<Data>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Exchange<Data>> {
    const init = request(method, body, headers);
    const start = performance.now();
    // The response is to be the gateway's, not one that the browser has stored, as its headers say which calls were made for it.
    const response = await fetch(path, { ...init, cache: "no-store" });
    const copy = response.clone();
    const text = await response.text();
    const exchange: Exchange<Data> = {
      method,
      path,
      status: response.status,
      milliseconds: performance.now() - start,
      headers: response.headers,
      text,
    };
    if (!response.ok) {
      return { ...exchange, problem: await this.#problem(copy) };
    }
    return { ...exchange, data: JSON.parse(text) as Data };
  }

  /** Opens a stream of lines. Throws a ProblemError for an error response. */
  async open(path: string, signal: AbortSignal): Promise<Response> {
    const response = await fetch(path, { ...request("GET", undefined, { Accept: "application/x-ndjson" }), signal });
    if (!response.ok) {
      throw await this.#problem(response);
    }
    return response;
  }

  async #problem(response: Response): Promise<ProblemError> {
    const problem = await problemFrom(response);
    if (loginOf(problem)) {
      this.loggedOut();
    }
    return problem;
  }
}

function request(method: string, body: unknown, extra: Record<string, string>): RequestInit {
  // Without max-stale, a browser that is not to use its cache asks the gateway not to use its own.
  const headers = { ...csrf, "Cache-Control": "max-stale", ...extra };
  if (body === undefined) {
    return { method, headers };
  }
  return { method, headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

/** Calls an endpoint of `portico dev` itself. Throws a ProblemError for an error response. */
export async function local<Data>(method: string, path: string): Promise<Data> {
  const response = await fetch(path, { method, headers: csrf });
  if (!response.ok) {
    throw await problemFrom(response);
  }
  return (await response.json()) as Data;
}

/** The error as a text for people. */
export function reason(error: unknown): string {
  if (error instanceof ProblemError) {
    return `${error.code} — ${error.detail}`;
  }
  // Fetch throws a TypeError if there is no response.
  return error instanceof TypeError ? "the gateway does not answer: is it still running?" : String(error);
}
