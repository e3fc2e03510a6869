import { retryAfterOf } from "./problem.js";
import type { Fetch } from "./send.js";

/** How to try again by itself. */
export interface Retry {
  /** Tries after the first; 2 if not set. */
  attempts?: number;
  /** Longest wait in milliseconds, 30 seconds if not set. If the gateway asks for more, its answer is the result. */
  maxDelay?: number;
}

/** Methods that have the same effect however often they are sent (RFC 9110 section 9.2.2). */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/**
 * A fetch that sends a request again, after as long as the gateway asks for, when the answer is 429 or 503 with `Retry-After`, and
 * only if it may be sent twice: by its method, or because it has an `Idempotency-Key`. Also a 429 may come from a service that has
 * done a part of the work.
 */
export function retrying(fetch: Fetch, retry: Retry): Fetch {
  const { attempts = 2, maxDelay = 30_000 } = retry;
  return async (request) => {
    for (let left = repeatable(request) ? attempts : 0; ; left--) {
      // The body of a request can be sent once, so all tries but the last send a copy.
      const response = await fetch(left > 0 ? request.clone() : request);
      const delay = (retryAfterOf(response.headers) ?? Infinity) * 1000;
      if (left <= 0 || delay > maxDelay || ![429, 503].includes(response.status)) {
        return response;
      }
      await response.body?.cancel();
      await pause(delay, request.signal);
    }
  };
}

function repeatable(request: Request): boolean {
  return idempotent.has(request.method) || request.headers.has("Idempotency-Key");
}

/** The longest time that timers know, 25 days; more is at once. */
const longest = 2 ** 31 - 1;

/** Waits so many milliseconds, but no longer than timers can. Rejects with the signal's reason as soon as it is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, Math.min(milliseconds, longest));
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) {
      stop();
    }
  });
}
