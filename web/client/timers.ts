/** The longest delay of setTimeout in milliseconds, 25 days; a longer one fires at once (HTML standard, section 8.6). */
const longestDelay = 2 ** 31 - 1;

/** Waits, for 25 days at most. Rejects with the signal's reason as soon as it is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, Math.min(milliseconds, longestDelay));
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) {
      stop();
    }
  });
}

/**
 * Rejects with a TimeoutError, as `AbortSignal.timeout` does, unless the call settles in time. The call gets a signal that is aborted
 * by then, or when the given one is. After the call has settled only the given one aborts it, so a response may be read for longer.
 */
export async function withTimeout<T>(
  milliseconds: number,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController();
  const expired = new Promise<never>((_, reject) => {
    timeout.signal.addEventListener("abort", () => reject(timeout.signal.reason), { once: true });
  });
  const expire = () => timeout.abort(new DOMException(`no response within ${milliseconds} ms`, "TimeoutError"));
  const timer = setTimeout(expire, Math.min(milliseconds, longestDelay));
  try {
    const either = AbortSignal.any([timeout.signal, ...(signal ? [signal] : [])]);
    return await Promise.race([call(either), expired]);
  } finally {
    clearTimeout(timer);
  }
}
