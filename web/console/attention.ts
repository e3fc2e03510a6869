import { clock, plural, rate } from "./format.js";
import type { About, State, Upstream } from "./types.js";

/** Something that an operator should know at once. */
export interface Notice {
  kind: "bad" | "warn";
  text: string;
  /** The id of the section that has more about it. */
  section: string;
}

/** Returns what is wrong, or not as configured, the worst first. */
export function notices(about: About, state: State): Notice[] {
  return [
    ...readiness(state),
    ...state.upstreams.flatMap(upstream),
    ...(state.redis?.trouble ?? []).map((trouble) => warn(`Redis: ${trouble}`, "gateway")),
    ...reload(about),
    ...overload(state),
    ...log(state),
  ].sort((a, b) => a.kind.localeCompare(b.kind));
}

function bad(text: string, section: string): Notice {
  return { kind: "bad", text, section };
}

function warn(text: string, section: string): Notice {
  return { kind: "warn", text, section };
}

function readiness(state: State): Notice[] {
  if (state.stopping) {
    return [bad("The gateway is stopping.", "gateway")];
  }
  const drained = state.drained && warn(`An operator drained this gateway at ${clock(new Date(state.drained))}.`, "gateway");
  // The drain itself is one of the checks, whose state is "draining".
  const failed = state.checks.filter((check) => check.required && check.state !== "ok" && !(drained && check.state === "draining"));
  return [
    ...(drained ? [drained] : []),
    ...failed.map((c) => bad(`Not ready: ${c.name} ${c.state}${c.detail ? `, ${c.detail}` : ""}`, "gateway")),
  ];
}

function upstream({ name, state, detail, breaker, methods, addresses }: Upstream): Notice[] {
  const list: Notice[] = [];
  if (state !== "ok") {
    list.push(bad(`Upstream ${name} is ${state}${detail ? `: ${detail}` : ""}`, "upstreams"));
  }
  for (const { of, at } of [{ of: name, at: breaker }, ...(methods ?? []).map((method) => ({ of: method.rpc, at: method }))]) {
    if (at.forced) {
      list.push(warn(`An operator holds the breaker of ${of} ${at.state}.`, "upstreams"));
    } else if (at.state !== "closed" && (state === "ok" || of !== name)) {
      list.push(warn(`The breaker of ${of} is ${at.state}.`, "upstreams"));
    }
  }
  const out = (addresses ?? []).filter((address) => !working.has(address.state));
  if (state === "ok" && out.length > 0) {
    list.push(
      warn(`Upstream ${name}: ${plural(out.length, "address", "addresses")} of ${addresses?.length} cannot be called`, "upstreams"),
    );
  }
  return list;
}

/** The states of addresses that are as they should be, or soon. */
export const working: ReadonlySet<string> = new Set(["ready", "idle", "connecting"]);

function reload({ configuration: { last_reload: last } }: About): Notice[] {
  if (last?.result !== "refused") {
    return [];
  }
  const faults = last.faults ? ` (${plural(last.faults.length, "fault")})` : "";
  return [warn(`The last reload was refused${faults}; the configuration before it is in use.`, "gateway")];
}

function overload({ cpu, requests, streams }: State): Notice[] {
  const refused = [
    [cpu.refused_per_second, "the CPU is overloaded"],
    [requests.refused_per_second, "too many requests are in flight"],
    [streams.refused_per_second, "too many streams are open"],
  ] as const;
  return refused
    .filter(([perSecond]) => perSecond > 0)
    .map(([perSecond, why]) => bad(`${rate(perSecond)} requests per second are refused: ${why}`, "failures"));
}

function log({ log }: State): Notice[] {
  if (!log || log.level === log.configured) {
    return [];
  }
  const until = log.until ? ` until ${clock(new Date(log.until))}` : "";
  return [warn(`The log level is ${log.level}${until}, instead of ${log.configured}.`, "gateway")];
}
