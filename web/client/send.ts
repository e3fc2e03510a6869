/** What sends a request: the global `fetch`, or what takes its place. */
export type Fetch = (request: Request) => Promise<Response>;

/** An access token, or what gives one. */
export type Token = string | (() => string | undefined | Promise<string | undefined>);

/** No answer came: the gateway was not reached, or the connection broke. Fetch's own error is its cause, and a TypeError too. */
export class NoAnswerError extends TypeError {
  constructor(cause: TypeError) {
    super(cause.message, { cause });
    this.name = "NoAnswerError";
  }
}

/** A fetch that asks for the token of each request as it is sent, and tells a failed connection from the faults of a program. */
export function sending(fetch: Fetch, token: Token | undefined): Fetch {
  return async (request) => {
    const value = typeof token === "function" ? await token() : token;
    if (value) {
      request.headers.set("Authorization", `Bearer ${value}`);
    }
    try {
      return await fetch(request);
    } catch (error) {
      throw error instanceof TypeError && !request.signal.aborted ? new NoAnswerError(error) : error;
    }
  };
}
