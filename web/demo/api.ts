import { ProblemError, problemFrom } from "../client/problem.js";

/** Who may be taken for the caller. Only the development issuer gives out tokens like that. */
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

/** A request and what came of it. */
export interface Exchange<Data> {
  method: string;
  path: string;
  status: number;
  /** Until the whole answer was there, as this page sees it. */
  milliseconds: number;
  headers: Headers;
  /** The answer's text. */
  text: string;
  /** Undefined if it is an error. */
  data?: Data;
  problem?: ProblemError;
}

/** Calls the API as somebody. */
export class Api {
  readonly #tokens = new Map<string, { token: string; until: number }>();

  constructor(readonly caller: () => Caller) {}

  /** Sends a request. An answer that is an error is an exchange with a problem; only no answer at all is thrown. */
  async send<Data>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Exchange<Data>> {
    const init = await this.#init(method, body, headers);
    const start = performance.now();
    const response = await fetch(path, init);
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

  /** Opens a stream of lines. Throws a ProblemError if it is refused. */
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
    // Half of its life, so that it does not end on the way.
    this.#tokens.set(name, { token: got.token, until: Date.now() + got.expiresIn * 500 });
    return got.token;
  }
}

/** Calls what `portico dev` offers beside the API. Throws a ProblemError. */
export async function local<Data>(method: string, path: string): Promise<Data> {
  const response = await fetch(path, { method });
  if (!response.ok) {
    throw await problemFrom(response);
  }
  return (await response.json()) as Data;
}

/** What went wrong, for people. */
export function reason(error: unknown): string {
  if (error instanceof ProblemError) {
    return `${error.code} — ${error.detail}`;
  }
  // That is how fetch says that nobody answered.
  return error instanceof TypeError ? "the gateway does not answer: is it still running?" : String(error);
}
