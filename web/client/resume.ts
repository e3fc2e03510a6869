import { ProblemError } from "./problem.js";
import { pause } from "./retry.js";
import { NoAnswerError } from "./send.js";
import { following, StreamCutError } from "./stream.js";

/** How to connect again after a stream broke off. */
export interface Resume {
  /** Tries in a row without a message; 10 if not set, which takes about a minute. */
  attempts?: number;
  /** Milliseconds before the first try, 250 if not set; doubled with each, and half of it is chance. */
  minDelay?: number;
  /** Longest wait in milliseconds, 10 seconds if not set, unless the gateway asks for more with `Retry-After` or `retry:`. */
  maxDelay?: number;
}

/** What a stream of events can be told. */
export interface ResumeOptions {
  /** The id of the last event that was seen before, from which the stream goes on. */
  lastEventId?: string;
  /** To connect again by itself: only if not false, and only as long as every event had an id. */
  resume?: boolean | Resume;
  /** Ends the stream with an exception, its reason. */
  signal?: AbortSignal;
}

/**
 * The messages of a stream of Server-Sent Events that goes on after the connection broke, the gateway stopped or the stream's
 * time was over. What passes is tried again; any other error, and the last one when all tries are used up, is thrown.
 */
export async function* resuming<T>(
  open: (lastEventId: string | undefined) => Promise<Response>,
  options: ResumeOptions,
): AsyncGenerator<T, void, undefined> {
  const { attempts = 10, minDelay = 250, maxDelay = 10_000 } = typeof options.resume === "object" ? options.resume : {};
  let last = options.lastEventId;
  let resumable = options.resume !== undefined && options.resume !== false;
  let failures = 0;
  let wished = 0;
  for (;;) {
    try {
      for await (const event of following<T>(await open(last), (milliseconds) => (wished = milliseconds))) {
        failures = 0;
        last = event.id;
        resumable &&= last !== undefined;
        yield event.data;
      }
      return;
    } catch (error) {
      if (!resumable || !passes(error) || ++failures > attempts) {
        throw error;
      }
      const backoff = Math.min(maxDelay, minDelay * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
      await pause(Math.max(backoff, retryAfter(error) * 1000, wished), options.signal);
      wished = 0;
    }
  }
}

/** Whether the next try may succeed: without an answer, after a cut, a rate limit, a stopping gateway, a deadline, a proxy's 502. */
function passes(error: unknown): boolean {
  return (
    error instanceof StreamCutError ||
    error instanceof NoAnswerError ||
    (error instanceof ProblemError && [429, 502, 503, 504].includes(error.status))
  );
}

function retryAfter(error: unknown): number {
  return error instanceof ProblemError ? (error.retryAfter ?? 0) : 0;
}
