import type { SessionOptions } from "./session.js";
import { withTimeout } from "./timers.js";

/** Sends a request: the global `fetch`, or what replaces it. */
export type Fetch = (request: Request) => Promise<Response>;

/** A secret, or a function that returns it and is called for each attempt. Without a value, the request is sent without it. */
export type Credential = string | (() => string | undefined | Promise<string | undefined>);

/** Who calls. A gateway refuses requests with more than one credential. */
export interface Credentials {
  /** An access token, sent as `Authorization: Bearer …`. */
  token?: Credential | undefined;
  /** An API key. */
  apiKey?: Credential | undefined;
  /** The header of the API key, as in the gateway's setting `auth.api_keys.header`; `X-Api-Key` if not set. */
  apiKeyHeader?: string | undefined;
  /** In a page: the session of its browser, which sends it as a cookie. `true` means the defaults. */
  session?: boolean | SessionOptions | undefined;
}

/** There is no response: the gateway was not reached, or the connection broke. Its cause is the TypeError of fetch. */
export class NetworkError extends TypeError {
  constructor(cause: TypeError) {
    super(cause.message, { cause });
    this.name = "NetworkError";
  }
}

/** Reports whether a request ended without a response, by a network error or a timeout of the client, but not by its caller's signal. */
export function hasNoResponse(error: unknown, signal: AbortSignal | undefined): boolean {
  const timedOut = error instanceof DOMException && error.name === "TimeoutError";
  return error instanceof NetworkError || (timedOut && !signal?.aborted);
}

/**
 * The request of a response, by its body, and that of a copy. In Node.js 20, an abort does not reach a body that is being read
 * once a request in between was garbage collected. The signal of a clone is lost even while the clone is reachable.
 */
const origins = new WeakMap<object, Request>();

/** A request like `copy`, which may be the original one, that is aborted by the signal of the original, or by another one. */
export function follow(original: Request, copy: Request, signal = original.signal): Request {
  const request = new Request(copy, { signal });
  origins.set(request, original);
  return request;
}

/** A fetch with the credentials. It throws a NetworkError where fetch throws a TypeError, which may also be a bug of the program. */
export function authenticated(fetch: Fetch, { token, apiKey, apiKeyHeader = "X-Api-Key", session }: Credentials): Fetch {
  if ([token, apiKey, session || undefined].filter((credential) => credential !== undefined).length > 1) {
    throw new TypeError("a client has a token, an apiKey or a session, and only one of them");
  }
  const changing = session ? ((session !== true && session.header) || "X-Csrf") : undefined;
  const [header, prefix, credential] = token === undefined ? [apiKeyHeader, "", apiKey] : ["Authorization", "Bearer ", token];
  return async (request) => {
    const value = typeof credential === "function" ? await credential() : credential;
    if (value) {
      request.headers.set(header, prefix + value);
    }
    // Pages of other origins cannot send it. Its value does not matter.
    if (changing && !["GET", "HEAD", "OPTIONS"].includes(request.method)) {
      request.headers.set(changing, "1");
    }
    try {
      const response = await fetch(request);
      if (response.body) {
        origins.set(response.body, request);
      }
      return response;
    } catch (error) {
      throw error instanceof TypeError && !request.signal.aborted ? new NetworkError(error) : error;
    }
  };
}

/** A fetch that rejects with a TimeoutError unless the response begins within so many milliseconds. */
export function limited(fetch: Fetch, timeout: number | undefined): Fetch {
  if (timeout === undefined) {
    return fetch;
  }
  return (request) => withTimeout(timeout, request.signal, (signal) => fetch(follow(request, request, signal)));
}
