// The data of the events of /console/events. The Go types with the same names, in bff/internal/admin/console, say what they mean.

/** The data of the event "about". */
export interface About {
  version: string;
  revision: string;
  go: string;
  instance: string;
  started: string;
  configuration: Configuration;
  services: Service[];
  actions: ActionName[];
  actions_refused?: string;
}

export type ActionName = "breaker" | "drain" | "log-level" | "purge" | "reload";

export interface Configuration {
  hash: string;
  loaded: string;
  last_reload?: Reload;
}

export interface Reload {
  time: string;
  trigger: string;
  result: string;
  faults?: string[];
  changed?: string[];
}

export interface Service {
  name: string;
  upstream?: string;
  composite?: boolean;
  routes: Route[];
}

export interface Route {
  method: string;
  path: string;
  rpc: string;
  stream?: string;
  summary: string;
  policy: { name: string; value: string }[];
}

/** The data of the event "state". */
export interface State {
  time: string;
  ready: boolean;
  checks: Check[];
  drained?: string;
  stopping?: boolean;
  cpu: { delay_ms: number; target_ms: number; refused_per_second: number };
  requests: InFlight;
  streams: InFlight;
  connections: InFlight;
  upstreams: Upstream[];
  routes: RouteState[];
  limits: Limit[];
  cache: Cache;
  redis?: { breaker: string; trouble?: string[] };
  log?: { level: string; configured: string; until?: string };
  failures: Failure[];
}

export interface Check {
  name: string;
  state: string;
  detail?: string;
  required: boolean;
}

export interface InFlight {
  in_flight: number;
  limit?: number;
  refused_per_second: number;
}

export interface Rates {
  per_second: number;
  error_share: number;
  p50_ms?: number;
  p95_ms?: number;
  p99_ms?: number;
}

export interface Windows {
  last_10s: Rates;
  last_1m: Rates;
}

export interface Breaker {
  state: string;
  forced?: boolean;
}

export interface Upstream extends Windows {
  name: string;
  state: string;
  detail?: string;
  breaker: Breaker;
  methods?: (Breaker & { rpc: string })[];
  addresses?: Address[];
  in_flight: number;
  waiting?: number;
  concurrency_limit?: number;
}

export interface Address {
  address: string;
  state: string;
  until?: string;
}

export interface RouteState extends Windows {
  method: string;
  path: string;
  in_flight: number;
}

export interface Limit {
  rpc?: string;
  limit: string;
  key: string;
  refused_per_second: number;
  allowed_per_second: number;
  refused_last_minute: number;
}

export interface CacheRates {
  hit_ratio?: number;
  hits_per_second: number;
  misses_per_second: number;
  bypasses_per_second: number;
}

export interface Cache extends CacheRates {
  rpcs: (CacheRates & { rpc: string })[];
}

export interface Failure {
  time: string;
  request_id: string;
  method: string;
  path: string;
  rpc?: string;
  status: number;
  code: string;
  reason?: string;
  limit?: string;
  upstream?: string;
  address?: string;
  text: string;
  took_ms: number;
}
