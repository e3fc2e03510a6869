import { retryAfterOf } from "./problem.js";

/** How to try again by itself. */
export interface Retry {
  /** Tries after the first; 2 if not set. */
  attempts?: number;
  /** Longest wait in milliseconds, 30 seconds if not set. If the gateway asks for more, its answer is the result. */
  maxDelay?: number;
}

type Fetch = (request: Request) => Promise<Response>;

/** Methods that have the same effect however often they are sent (RFC 9110 section 9.2.2). */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/**
 * A fetch that sends a request again, after as long as the gateway asks for, when the answer is 429 or 503 with `Retry-After`.
 * After a 503 it does so only if the request may be sent twice: by its method, or because it has an `Idempotency-Key`.
 */
export function retrying(fetch: Fetch, retry: Retry): Fetch {
  const { attempts = 2, maxDelay = 30_000 } = retry;
  return async (request) => {
    for (let left = attempts; ; left--) {
      // The body of a request can be sent once, so all tries but the last send a copy.
      const response = await fetch(left > 0 ? request.clone() : request);
      const delay = (retryAfterOf(response.headers) ?? Infinity) * 1000;
      if (left <= 0 || delay > maxDelay || !again(request, response.status)) {
        return response;
      }
      await response.body?.cancel();
      await pause(delay, request.signal);
    }
  };
}

function again(request: Request, status: number): boolean {
  return status === 429 || (status === 503 && (idempotent.has(request.method) || request.headers.has("Idempotency-Key")));
}

/** Waits so many milliseconds. Rejects with the signal's reason as soon as it is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) {
      stop();
    }
  });
}
