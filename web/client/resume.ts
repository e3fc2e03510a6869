import { ProblemError } from "./problem.js";
import { delayAfter, type RetryOptions } from "./retry.js";
import { hasNoResponse } from "./send.js";
import { following, StreamCutError } from "./stream.js";
import { pause } from "./timers.js";

/** Where a stream begins, what happens when it breaks, and when it ends. */
export interface ResumeOptions {
  /** The id of the last event that was received before; the stream continues after it. */
  lastEventId?: string | undefined;
  /** Connect again after the stream broke, as long as every event had an id. Off if not set; `true` means the defaults. */
  resume?: boolean | RetryOptions | undefined;
  /** Ends the stream by throwing its reason. */
  signal?: AbortSignal | undefined;
}

/**
 * The messages of a stream of Server-Sent Events, which continues after the connection broke, the gateway stopped or the stream's
 * time was over. Errors that are not temporary are thrown, and so is the error of the last attempt.
 */
export async function* resuming<T>(
  open: (lastEventId: string | undefined) => Promise<Response>,
  options: ResumeOptions,
): AsyncGenerator<T, void, undefined> {
  const { resume = false, signal } = options;
  const retry = resume === true ? {} : resume;
  let last = options.lastEventId;
  let failures = 0;
  let hasIds = true;
  let requested = 0;
  for (;;) {
    try {
      for await (const event of following<T>(await open(last), (milliseconds) => (requested = milliseconds))) {
        failures = 0;
        last = event.id;
        hasIds &&= last !== undefined;
        yield event.data;
      }
      return;
    } catch (error) {
      const wait = isTemporary(error, signal) ? Math.max(requested, retryAfter(error)) : undefined;
      const delay = retry && hasIds ? delayAfter(++failures, retry.attempts ?? 10, wait, retry) : undefined;
      if (delay === undefined) {
        throw error;
      }
      requested = 0;
      await pause(delay, signal);
    }
  }
}

/** Reports whether the next attempt may succeed: after a cut, a rate limit, a deadline, a gateway that stops, a proxy's 502, or no response. */
function isTemporary(error: unknown, signal: AbortSignal | undefined): boolean {
  return (
    error instanceof StreamCutError ||
    hasNoResponse(error, signal) ||
    (error instanceof ProblemError && [429, 502, 503, 504].includes(error.status))
  );
}

/** The wait in milliseconds that a problem asks for. */
function retryAfter(error: unknown): number {
  return error instanceof ProblemError ? (error.retryAfter ?? 0) * 1000 : 0;
}
