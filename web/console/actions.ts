import type { ActionName, State, Upstream } from "./types.js";

/** A choice or a text that an action needs. */
export interface Field {
  name: string;
  label: string;
  /** The values to choose from, with their labels. Without them the field is a text. */
  options?: readonly (readonly [value: string, label: string])[];
  value?: string;
  placeholder?: string;
}

/** The values of the fields of an action by their names. */
export type Values = Readonly<Record<string, string>>;

/** What an operator can do. */
export interface Action {
  name: ActionName;
  title: string;
  fields: Field[];
  /** What will happen, in sentences that name what it happens to. */
  effect(values: Values): string;
  /** What the button says that does it. */
  verb(values: Values): string;
  /** The body of the request. */
  body(values: Values): Record<string, unknown>;
}

const breakerEffects: Record<string, (of: string) => string> = {
  open: (of) => `Opens the circuit breaker of ${of}: every call to it is refused, until somebody changes that here.`,
  closed: (of) =>
    `Holds the circuit breaker of ${of} closed: every call is made and no failure counts, until somebody changes that here.`,
  auto: (of) => `Closes the circuit breaker of ${of}. It has counted nothing, and opens by itself again.`,
};

const breakerVerbs: Record<string, string> = { open: "Open the breaker", closed: "Hold it closed", auto: "Let it decide" };

/** Sets the breaker of an upstream, or of one of its methods that has a breaker of its own. */
export function setBreaker(upstream: Upstream): Action {
  const methods = upstream.methods ?? [];
  const of = {
    name: "rpc",
    label: "Breaker of",
    options: [["", `all of ${upstream.name}`], ...methods.map(({ rpc }) => [rpc, rpc] as const)] as const,
  };
  const state = {
    name: "state",
    label: "State",
    options: [
      ["open", "open: refuse every call"],
      ["closed", "closed: make every call"],
      ["auto", "automatic"],
    ] as const,
    value: upstream.breaker.forced ? "auto" : "open",
  };
  return {
    name: "breaker",
    title: `Circuit breaker of ${upstream.name}`,
    fields: methods.length > 0 ? [of, state] : [state],
    effect: (values) => breakerEffects[values["state"] ?? ""]?.(values["rpc"] || `the upstream ${upstream.name}`) ?? "",
    verb: (values) => breakerVerbs[values["state"] ?? ""] ?? "",
    body: (values) => ({ upstream: upstream.name, ...(values["rpc"] && { rpc: values["rpc"] }), state: values["state"] }),
  };
}

/** Drains an address of an upstream, or ends that. */
export function drainAddress(upstream: string, address: string, drained: boolean): Action {
  const verb = drained ? "Drain the address" : "End the drain";
  return {
    name: "drain",
    title: drained ? "Drain an address" : "End the drain of an address",
    fields: [],
    effect: () =>
      drained
        ? `No new call goes to ${address} of the upstream ${upstream}. Calls and streams that have begun go on.`
        : `New calls go to ${address} of the upstream ${upstream} again.`,
    verb: () => verb,
    body: () => ({ upstream, address, drained }),
  };
}

/** Drains the gateway, or ends that. */
export function drainGateway(drained: boolean): Action {
  const verb = drained ? "Drain this gateway" : "End the drain";
  return {
    name: "drain",
    title: drained ? "Drain this gateway" : "End the drain of this gateway",
    fields: [],
    effect: () =>
      drained
        ? "/readyz says that this gateway is not ready, so load balancers send it no new connections. It serves what still comes."
        : "/readyz says that this gateway is ready again, if its other checks are well.",
    verb: () => verb,
    body: () => ({ drained }),
  };
}

const levels = ["debug", "info", "warn", "error"] as const;
const durations = [
  ["1m", "1 minute"],
  ["10m", "10 minutes"],
  ["1h", "1 hour"],
  ["24h", "24 hours"],
] as const;

/** Changes the level of the log for a while. */
export function setLogLevel({ log }: State): Action {
  const configured = log?.configured ?? "configured";
  const back = ["", `${configured}, as configured`] as const;
  const others = levels.filter((level) => level !== configured).map((level) => [level, level] as const);
  return {
    name: "log-level",
    title: "Log level",
    fields: [
      { name: "level", label: "Level", options: [...others, back], value: log?.until ? "" : (others[0]?.[0] ?? "") },
      { name: "for", label: "For", options: durations, value: "10m" },
    ],
    effect: ({ level, for: time }) =>
      level
        ? `Logs from ${level} upwards for ${durationName(time)}, then from ${configured} again.`
        : `Logs from ${configured} upwards, as configured.`,
    verb: ({ level }) => (level ? `Log from ${level} upwards` : "Log as configured"),
    body: ({ level, for: time }) => (level ? { level, for: time } : {}),
  };
}

function durationName(value: string | undefined): string {
  return durations.find(([given]) => given === value)?.[1] ?? "a while";
}

/** Makes cached responses obsolete. */
export function purge(): Action {
  return {
    name: "purge",
    title: "Purge a tag from the cache",
    fields: [{ name: "tag", label: "Tag, with its values", placeholder: "order:ord_1" }],
    effect: ({ tag }) =>
      `Cached responses with the tag ${tag || "…"} are not served any more, by this gateway and all others with the same Redis.`,
    verb: () => "Purge the tag",
    body: ({ tag }) => ({ tag }),
  };
}

/** Reads the configuration again. */
export function reload(): Action {
  return {
    name: "reload",
    title: "Reload the configuration",
    fields: [],
    effect: () =>
      "Reads the configuration file and the environment again, and uses them from then on. If they have a fault, nothing changes.",
    verb: () => "Reload",
    body: () => ({}),
  };
}
