import type { paths } from "@portico/client/schema";
import createFetchClient, { type HeadersOptions, type Middleware } from "openapi-fetch";

import { nextPage } from "./pages.js";
import { expect, json, ProblemError } from "./problem.js";
import { pathVariables, withFile, type Init } from "./request.js";
import { resuming, type ResumeOptions } from "./resume.js";
import { retrying, type RetryOptions } from "./retry.js";
import { authenticated, limited, type Credentials, type Fetch } from "./send.js";
import { credentialsFor, type SessionOptions } from "./session.js";
import { withTimeout } from "./timers.js";
import type { Method, Pages, StreamMessage, StreamParameters, StreamPath } from "./types.js";

/** The gateway, and how to call it. */
export interface ClientOptions extends Credentials {
  /** URL of the gateway, such as `https://api.example.com`. Empty in a browser: the page's own origin. */
  baseUrl: string;
  /** Headers of every request, unless the request sets them itself. Those of `token` and `apiKey` are set last. */
  headers?: HeadersOptions | undefined;
  /**
   * Milliseconds for one call: all attempts, the waits between them, and reading the response. Then it throws a TimeoutError, as with
   * `signal: AbortSignal.timeout(…)`, which limits a single call. The messages of a stream are not limited, only connecting is.
   */
  timeout?: number | undefined;
  /** Milliseconds for one attempt, until the response begins; for a stream, each time that it connects. Then it throws a TimeoutError. */
  attemptTimeout?: number | undefined;
  /**
   * Send requests again after 429 and 503 with `Retry-After`, network errors and timeouts of an attempt: those of idempotent methods
   * and those with an `Idempotency-Key`. Off if not set; `true` means the defaults. Streams have `resume`.
   */
  retry?: boolean | RetryOptions | undefined;
  /** Replaces the global `fetch`. */
  fetch?: Fetch | undefined;
}

/** Parameters of a stream, and how to follow it. */
export interface WatchInit<Paths, Path extends keyof Paths> extends ResumeOptions {
  params: StreamParameters<Paths, Path>;
}

/**
 * The operations of a gateway. A response of 400 or more is thrown as a ProblemError, and so is one that should be JSON and has
 * another type. A body that is a Blob, an ArrayBuffer or a view of one, a ReadableStream or FormData is sent as it is.
 */
export interface Client<Paths extends {} = paths> {
  GET: Method<Paths, "get">;
  PUT: Method<Paths, "put">;
  POST: Method<Paths, "post">;
  PATCH: Method<Paths, "patch">;
  DELETE: Method<Paths, "delete">;
  /** Gets all pages of a list, each when it is asked for, beginning with that of the query. The options are those of GET. */
  pages: Pages<Paths>;
  /**
   * Follows a stream as Server-Sent Events, which have a mark at their end. Throws a ProblemError for an error before or in the stream,
   * and a StreamCutError if the mark is missing; with `resume`, it connects again first. `fields` selects the fields of each message.
   */
  watch<Path extends StreamPath<Paths>, Fields extends string | readonly string[] | undefined = undefined>(
    path: Path,
    // Conditional, as WithKeys is.
    init: (Path extends unknown ? WatchInit<Paths, Path> : never) & { params: { query?: { fields?: Fields } } },
  ): AsyncGenerator<StreamMessage<Paths, Path, Fields>, void, undefined>;
}

/**
 * Creates a client. `Paths` are the routes of the gateway, as openapi-typescript generates them from its OpenAPI document; without
 * them, they are those that the package was built with (`@portico/client/schema`).
 */
export function createClient<Paths extends {} = paths>(options: ClientOptions): Client<Paths> {
  const { baseUrl, headers, retry, timeout, attemptTimeout, session } = options;
  // Looked up for each request, so that a program can replace it.
  const fetch = options.fetch ?? ((request) => globalThis.fetch(request));
  const attempt = limited(authenticated(fetch, options), attemptTimeout);
  const inner = createFetchClient<Paths>({
    baseUrl,
    ...(headers && { headers }),
    ...(session && { credentials: credentialsFor(baseUrl) }),
    fetch: retry ? retrying(attempt, retry === true ? {} : retry) : attempt,
  });
  inner.use(pathVariables, problems(session));

  const call =
    (method: Call): Call =>
    (path, init) =>
      timeout === undefined
        ? method(path, withFile(init))
        : withTimeout(timeout, init?.signal, (signal) => method(path, { ...withFile(init), signal }));
  const { GET, PUT, POST, PATCH, DELETE } = inner as unknown as Record<Verb, Call>;
  const operations = { GET: call(GET), PUT: call(PUT), POST: call(POST), PATCH: call(PATCH), DELETE: call(DELETE) };

  return {
    // Only the type of the results differs: errors are thrown.
    ...(operations as unknown as Pick<Client<Paths>, Verb>),
    pages: ((path: string, init?: Init) => following(operations.GET, path, init)) as Pages<Paths>,
    watch: (path, { params, ...init }) =>
      resuming(async (lastEventId) => {
        const headers = { Accept: "text/event-stream", "Last-Event-ID": lastEventId };
        const { response } = await operations.GET(path, { params, headers, signal: init.signal, parseAs: "stream", fetch: attempt });
        return response;
      }, init),
  };
}

/** Gets a page after the other. */
async function* following(get: Call, path: string, init: Init | undefined): AsyncGenerator<unknown, void, undefined> {
  const { params, ...rest } = init ?? {};
  for (let page: Record<string, string> | undefined = {}; page;) {
    const { data, response }: { data?: unknown; response: Response } = await get(path, {
      ...rest,
      params: { ...params, query: { ...params?.query, ...page } },
    });
    yield data;
    page = nextPage(response);
  }
}

type Verb = "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
type Call = (path: string, init?: Init) => Promise<{ data?: unknown; response: Response }>;

function problems(session: boolean | SessionOptions | undefined): Middleware {
  return {
    async onResponse({ response, options }) {
      if (response.status < 400 && !(response.ok && options.parseAs === "json")) {
        return;
      }
      try {
        await expect(response, json);
      } catch (error) {
        if (typeof session === "object" && error instanceof ProblemError && error.login !== undefined) {
          session.onEnded?.(error);
        }
        throw error;
      }
    },
  };
}
