import createFetchClient, { type Middleware } from "openapi-fetch";

import type { paths } from "../../gen/ts/schema.js";
import { expect, json } from "./expect.js";
import { pathVariables, withFile } from "./request.js";
import { resuming, type ResumeOptions } from "./resume.js";
import { retrying, type Retry } from "./retry.js";
import { sending, type Fetch, type Token } from "./send.js";
import type { Method, StreamMessage, StreamParameters, StreamPath } from "./types.js";

/** What a client is made of. */
export interface ClientOptions {
  /** Where the gateway is, such as `https://api.example.com`; in a browser, empty is the page's own origin. */
  baseUrl: string;
  /** An access token, or what gives one for each request, and for each try of it. Without one the caller is anonymous. */
  token?: Token;
  /** To try again by itself after 429 and 503, as `retrying` says: only if set. */
  retry?: Retry;
  /** Instead of the global one. */
  fetch?: Fetch;
}

/** Says which stream, and how to follow it. */
export type WatchInit<Paths, Path extends keyof Paths> = ResumeOptions & { params: StreamParameters<Paths, Path> };

/**
 * The operations of a gateway. Any answer of 400 or more is thrown as a ProblemError, and so is one that should be JSON and has
 * another type. A body that is a Blob, an ArrayBuffer or a view of one, a ReadableStream or FormData is sent as it is.
 */
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
  const fetch = sending(options.fetch ?? ((request) => globalThis.fetch(request)), options.token);
  const inner = createFetchClient<Paths>({
    baseUrl: options.baseUrl,
    fetch: options.retry ? retrying(fetch, options.retry) : fetch,
  });
  inner.use(pathVariables, problems);

  // Only the type of the answers differs: without the errors, which are thrown.
  const { GET, PUT, POST, PATCH, DELETE } = inner as unknown as Record<Verb, Call>;
  const sender = (call: Call) => (path: string, init?: object) => call(path, withFile(init));
  const operations = { GET, DELETE, PUT: sender(PUT), POST: sender(POST), PATCH: sender(PATCH) };

  return {
    ...(operations as unknown as Pick<Client<Paths>, Verb>),
    watch: (path, { params, ...init }) =>
      resuming(async (lastEventId) => {
        const headers = { Accept: "text/event-stream", "Last-Event-ID": lastEventId };
        const { response } = await GET(path, { params, headers, signal: init.signal, parseAs: "stream" });
        return response;
      }, init),
  };
}

type Verb = "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
type Call = (path: string, init?: object) => Promise<{ response: Response }>;

const problems: Middleware = {
  async onResponse({ response, options }) {
    if (response.status >= 400 || (response.ok && options.parseAs === "json")) {
      await expect(response, json);
    }
  },
};
