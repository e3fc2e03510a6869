import createFetchClient, { type Middleware } from "openapi-fetch";

import type { paths } from "../../gen/ts/schema.js";
import { problemFrom } from "./problem.js";
import { resuming, type ResumeOptions } from "./resume.js";
import { retrying, type Retry } from "./retry.js";
import type { Method, StreamMessage, StreamParameters, StreamPath } from "./types.js";

/** What a client is made of. */
export interface ClientOptions {
  /** Where the gateway is, such as `https://api.example.com`; in a browser, empty is the page's own origin. */
  baseUrl: string;
  /** An access token, or what gives one for each request. Without one the caller is anonymous. */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /** To try again by itself after 429 and 503, as `retrying` says: only if set. */
  retry?: Retry;
  /** Instead of the global one. */
  fetch?: (request: Request) => Promise<Response>;
}

/** Says which stream, and how to follow it. */
export type WatchInit<Paths, Path extends keyof Paths> = ResumeOptions & { params: StreamParameters<Paths, Path> };

/** The operations of a gateway. Any answer of 400 or more is thrown as a ProblemError. */
export interface Client<Paths extends {} = paths> {
  GET: Method<Paths, "get">;
  PUT: Method<Paths, "put">;
  POST: Method<Paths, "post">;
  PATCH: Method<Paths, "patch">;
  DELETE: Method<Paths, "delete">;
  /**
   * Follows a stream by Server-Sent Events, whose end is marked. Throws a ProblemError for an error before or within the stream,
   * and a StreamCutError if it has no end; with `resume` it connects again first.
   */
  watch<Path extends StreamPath<Paths>>(
    path: Path,
    init: WatchInit<Paths, Path>,
  ): AsyncGenerator<StreamMessage<Paths, Path>, void, undefined>;
}

/**
 * A client of the operations in gen/ts/schema.ts, or in a document of one's own: `createClient<paths>(…)` with the types that
 * openapi-typescript made of it.
 */
export function createClient<Paths extends {} = paths>(options: ClientOptions): Client<Paths> {
  // Looked up for each request, so that a program can replace it.
  const fetch = options.fetch ?? ((request: Request) => globalThis.fetch(request));
  const inner = createFetchClient<Paths>({
    baseUrl: options.baseUrl,
    fetch: options.retry ? retrying(fetch, options.retry) : fetch,
  });
  inner.use(authorization(options.token), problems);

  // Only the type of the answers differs: without the errors, which are thrown.
  const { GET, PUT, POST, PATCH, DELETE } = inner as unknown as Client<Paths>;
  const open = inner.GET as unknown as (path: string, init: object) => Promise<{ response: Response }>;

  return {
    GET,
    PUT,
    POST,
    PATCH,
    DELETE,
    watch: (path, { params, ...init }) =>
      resuming(async (lastEventId) => {
        const headers = { Accept: "text/event-stream", "Last-Event-ID": lastEventId };
        const { response } = await open(path, { params, headers, signal: init.signal, parseAs: "stream" });
        return response;
      }, init),
  };
}

function authorization(token: ClientOptions["token"]): Middleware {
  return {
    async onRequest({ request }) {
      const value = typeof token === "function" ? await token() : token;
      if (value) {
        request.headers.set("Authorization", `Bearer ${value}`);
      }
    },
  };
}

const problems: Middleware = {
  async onResponse({ response }) {
    if (response.status >= 400) {
      throw await problemFrom(response);
    }
  },
};
