import { ProblemError, problemFrom } from "../client/problem.js";

/** A caller that the page can act as, with a token of the development issuer. */
export interface Caller {
  name: string;
  label: string;
  /** Undefined: a caller without a token. */
  scopes?: string[];
}

export const callers: readonly Caller[] = [
  { name: "alice", label: "alice", scopes: [] },
  { name: "bob", label: "bob", scopes: [] },
  { name: "admin", label: "admin (users:admin, orders:admin)", scopes: ["users:admin", "orders:admin"] },
  { name: "nobody", label: "nobody (no token)" },
];

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

/** Calls the API as the chosen caller. */
export class Api {
  readonly #tokens = new Map<string, { token: string; until: number }>();

  constructor(readonly caller: () => Caller) {}

  /** Sends a request. The result of an error response has a problem; only a request without a response throws. */
  async send<Data>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Exchange<Data>> {
    const init = await this.#init(method, body, headers);
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
      return { ...exchange, problem: await problemFrom(copy) };
    }
    return { ...exchange, data: JSON.parse(text) as Data };
  }

  /** Opens a stream of lines. Throws a ProblemError for an error response. */
  async open(path: string, signal: AbortSignal): Promise<Response> {
    const init = await this.#init("GET", undefined, { Accept: "application/x-ndjson" });
    const response = await fetch(path, { ...init, signal });
    if (!response.ok) {
      throw await problemFrom(response);
    }
    return response;
  }

  async #init(method: string, body: unknown, extra: Record<string, string>): Promise<RequestInit> {
    const headers = new Headers(extra);
    // Otherwise a browser that is not to use its cache asks the gateway not to use its own.
    headers.set("Cache-Control", "max-stale");
    const token = await this.#token(this.caller());
    if (token) {
      headers.set("Authorization", `Bearer ${token}`);
    }
    if (body === undefined) {
      return { method, headers };
    }
    headers.set("Content-Type", "application/json");
    return { method, headers, body: JSON.stringify(body) };
  }

  async #token({ name, scopes }: Caller): Promise<string | undefined> {
    if (!scopes) {
      return undefined;
    }
    const kept = this.#tokens.get(name);
    if (kept && kept.until > Date.now()) {
      return kept.token;
    }
    const query = new URLSearchParams([["subject", name], ...scopes.map((scope) => ["scope", scope])]);
    const got = await local<{ token: string; expiresIn: number }>("GET", `/dev/token?${query}`);
    // Half of its lifetime, so that it does not expire on the way.
    this.#tokens.set(name, { token: got.token, until: Date.now() + got.expiresIn * 500 });
    return got.token;
  }
}

/** Calls an endpoint of `portico dev` itself. Throws a ProblemError for an error response. */
export async function local<Data>(method: string, path: string): Promise<Data> {
  const response = await fetch(path, { method });
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
