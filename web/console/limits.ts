import { count, none, percent, rate } from "./format.js";
import { label } from "./parts.js";
import { Table, text } from "./table.js";
import type { Cache, Limit } from "./types.js";

/** The table of rate limits that refuse requests. */
export function limitTable(): Table<Limit> {
  return new Table<Limit>({
    name: "Rate limits that refused requests in the last minute",
    columns: [
      { name: "Limit", kind: "name", by: ({ limit }) => limit, cell: limitCell },
      { name: "Per", kind: "key", by: ({ key }) => key, cell: text(({ key }) => key) },
      { name: "Refused/s", kind: "number", by: (row) => row.refused_per_second, cell: text((row) => rate(row.refused_per_second)) },
      { name: "Allowed/s", kind: "number", by: (row) => row.allowed_per_second, cell: text((row) => rate(row.allowed_per_second)) },
      {
        name: "Last minute",
        kind: "number",
        by: (row) => row.refused_last_minute,
        cell: text((row) => count(row.refused_last_minute)),
      },
    ],
    key: ({ rpc = "", limit, key }) => `${rpc} ${limit} ${key}`,
    empty: "No rate limit refused a request.",
  });
}

function limitCell(cell: HTMLElement): (row: Limit) => void {
  const name = label(cell, "strong");
  const rpc = label(cell, "quiet rpc", "div");
  return (row) => {
    name(row.limit);
    rpc(row.rpc ?? "");
  };
}

type CacheRow = Cache["rpcs"][number];

/** The table of methods with cached responses. */
export function cacheTable(): Table<CacheRow> {
  return new Table<CacheRow>({
    name: "Cached methods in the last minute",
    columns: [
      { name: "Method", kind: "name rpc", by: ({ rpc }) => rpc, cell: text(({ rpc }) => rpc) },
      {
        name: "Hit ratio",
        kind: "number",
        by: ({ hit_ratio: ratio }) => ratio ?? -1,
        cell: text(({ hit_ratio: ratio }) => hitRatio(ratio)),
      },
      { name: "Hits/s", kind: "number", by: (row) => row.hits_per_second, cell: text((row) => rate(row.hits_per_second)) },
      { name: "Misses/s", kind: "number", by: (row) => row.misses_per_second, cell: text((row) => rate(row.misses_per_second)) },
      {
        name: "Bypasses/s",
        kind: "number",
        by: (row) => row.bypasses_per_second,
        cell: text((row) => rate(row.bypasses_per_second)),
      },
    ],
    key: ({ rpc }) => rpc,
    empty: "No method with cached responses had a request.",
  });
}

/** A hit ratio in percent. */
export function hitRatio(ratio: number | undefined): string {
  return ratio === undefined ? none : percent(ratio);
}
