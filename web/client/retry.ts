import { retryAfterOf } from "./problem.js";
import { follow, hasNoResponse, type Fetch } from "./send.js";
import { pause } from "./timers.js";

/** How often and when to try again: the same for requests (`retry`) and streams (`resume`). */
export interface RetryOptions {
  /**
   * Attempts in total, including the first. If not set, 3 for a request and 10 for a stream, where each message starts the count
   * again: the attempt that brought it is the first.
   */
  attempts?: number | undefined;
  /** Milliseconds before the second attempt, 250 if not set. It doubles with each attempt, and up to half of it is left out at random. */
  minDelay?: number | undefined;
  /**
   * The longest wait before an attempt in milliseconds, 30,000 if not set. If the gateway asks for a longer one (`Retry-After`, or
   * `retry:` of a stream), there is no further attempt and the error is thrown.
   */
  maxDelay?: number | undefined;
}

/**
 * The wait in milliseconds before the next attempt: at least the one that the gateway asks for. Undefined if there is to be no further
 * attempt, as after a failure that is not temporary, for which `requested` is undefined.
 */
export function delayAfter(failures: number, attempts: number, requested: number | undefined, options: RetryOptions): number | undefined {
  const { minDelay = 250, maxDelay = 30_000 } = options;
  if (failures >= attempts || requested === undefined || requested > maxDelay) {
    return undefined;
  }
  const backoff = Math.min(maxDelay, minDelay * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
  return Math.max(backoff, requested);
}

/**
 * A fetch that sends a request again if the response is 429 or 503 with `Retry-After`, or if there is none. The request must be
 * idempotent by its method or by an `Idempotency-Key`: even a 429 may come from a service that has done a part of the work.
 */
export function retrying(fetch: Fetch, options: RetryOptions): Fetch {
  const { attempts: limit = 3 } = options;
  return async (request) => {
    const attempts = isRepeatable(request) ? limit : 1;
    for (let failures = 1; ; failures++) {
      let delay: number | undefined;
      try {
        // The body of a request can be sent once, so all attempts but the last send a copy.
        const response = await fetch(failures < attempts ? follow(request, request.clone()) : request);
        delay = delayAfter(failures, attempts, requestedBy(response), options);
        if (delay === undefined) {
          return response;
        }
        await response.body?.cancel().catch(() => undefined);
      } catch (error) {
        delay = delayAfter(failures, attempts, hasNoResponse(error, request.signal) ? 0 : undefined, options);
        if (delay === undefined) {
          throw error;
        }
      }
      await pause(delay, request.signal);
    }
  };
}

/** Idempotent methods (RFC 9110 section 9.2.2). */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

function isRepeatable(request: Request): boolean {
  return idempotent.has(request.method) || request.headers.has("Idempotency-Key");
}

/** The wait in milliseconds that a response asks for before the next attempt; undefined if it asks for none. */
function requestedBy(response: Response): number | undefined {
  const seconds = [429, 503].includes(response.status) ? retryAfterOf(response.headers) : undefined;
  return seconds === undefined ? undefined : seconds * 1000;
}

/**
 * A new value for the header `Idempotency-Key`: a random UUID in double quotes (RFC 9651, string). Make one for each operation, and
 * send it with each attempt of that operation.
 */
export function idempotencyKey(): string {
  return `"${crypto.randomUUID()}"`;
}
