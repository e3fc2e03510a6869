/** A call that the gateway made for a response. Times are in milliseconds. */
export interface Call {
  upstream: string;
  /** Service and method, such as "user.v1.UserService/GetUser". */
  rpc: string;
  /** From the start of the request. Negative: an earlier request had begun the call, and this one shared it. */
  start: number;
  duration: number;
  /** The gRPC code if the call has failed, such as "UNAVAILABLE". */
  code?: string;
}

/** What a response says about the time that it took in the gateway. */
export interface Timing {
  /** Until the response began. */
  total: number;
  /** In the order in which they began. */
  calls: Call[];
}

const metric = /([^\s,;="]+)((?:\s*;\s*[^\s,;="]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s,;"]*))*)/g;
const parameter = /;\s*([^\s,;="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*))/g;

/**
 * Reads the header Server-Timing (W3C Server Timing) as the gateway writes it, with the parameters "start" and "code". Undefined: the gateway does
 * not write it, and the header, if there is one, is from a proxy.
 *
 * The browser's own PerformanceServerTiming has no "start".
 */
export function timing(header: string | null): Timing | undefined {
  let total: number | undefined;
  const calls: Call[] = [];
  for (const [, name = "", rest = ""] of (header ?? "").matchAll(metric)) {
    const given = new Map([...rest.matchAll(parameter)].map(([, key = "", quoted, token]) => [key.toLowerCase(), quoted ?? token ?? ""]));
    const [duration, start] = [number(given.get("dur")), number(given.get("start"))];
    if (name === "total") {
      total = duration;
    } else if (duration !== undefined && start !== undefined) {
      const code = given.get("code");
      calls.push({ upstream: name, rpc: given.get("desc") ?? name, start, duration, ...(code && { code }) });
    }
  }
  return total === undefined ? undefined : { total, calls: calls.sort((a, b) => a.start - b.start) };
}

function number(text: string | undefined): number | undefined {
  const value = Number(text || NaN);
  return Number.isFinite(value) ? value : undefined;
}
